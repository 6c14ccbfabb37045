# Gives no test cases of Miniloop out any more (files.sh), and forgets what was noted.
unit=sitewright-miniloop-files.service
systemctl disable --quiet --now "$unit" 2>/dev/null || true
if systemctl is-active --quiet "$unit"; then
    echo "error: $unit does not end" >&2
    exit 1
fi
rm -f "/etc/systemd/system/$unit" /var/lib/sitewright/miniloop/first-transfer
rm -rf /var/lib/sitewright/miniloop/files
systemctl daemon-reload

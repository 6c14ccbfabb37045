# Takes set.sh back: our own files, what stands between our marks, and what snapd was told.
set -eu
folder=/etc/sitewright/way-out
mark='# >>> way out, written by Sitewright'
end='# <<< way out'
[ -d "$folder" ] || exit 0
for file in /etc/environment /etc/gitconfig; do
    if ! [ -f "$file" ] || ! grep -qxF "$mark" "$file"; then
        continue
    fi
    new=$(mktemp "$file.XXXXXX")
    sed "\\|^$mark\$|,\\|^$end\$|d" "$file" >"$new"
    chmod 644 "$new"
    mv "$new" "$file"
    # /etc/environment is the system's; a gitconfig that is empty now was made by us.
    [ "$file" != /etc/gitconfig ] || [ -s "$file" ] || rm "$file"
done
added='^(# >>> way out, written by Sitewright|\[global\]|proxy = .*|cert = /etc/ssl/certs/ca-certificates\.crt)$'
if [ -f /etc/pip.conf ] && grep -qxF "$mark" /etc/pip.conf; then
    if grep -qvE "$added" /etc/pip.conf; then
        echo "/etc/pip.conf has more in it than Sitewright wrote, and was left: take its proxy out by hand"
    else
        rm /etc/pip.conf
    fi
fi
rm -f /etc/apt/apt.conf.d/95sitewright-way-out
if [ -n "$(ls /usr/local/share/ca-certificates/sitewright-way-out-*.crt 2>/dev/null)" ]; then
    rm -f /usr/local/share/ca-certificates/sitewright-way-out-*.crt
    update-ca-certificates >/dev/null
fi
for unit in docker containerd snap.microk8s.daemon-containerd snapd; do
    place=/etc/systemd/system/$unit.service.d/sitewright-way-out.conf
    [ -f "$place" ] || continue
    rm "$place"
    rmdir --ignore-fail-on-non-empty "${place%/*}"
    changed="${changed-} $unit.service"
done
if [ -d /run/systemd/system ]; then
    systemctl daemon-reload
    for unit in ${changed-}; do
        # Of most units there is only our part: what does not run takes it up when it starts.
        ! systemctl is-active --quiet "$unit" || systemctl restart "$unit"
    done
fi
if command -v snap >/dev/null; then
    for name in http https; do
        # Only a way out with a proxy told it one.
        [ -e "$folder/snap-$name" ] || continue
        before=$(cat "$folder/snap-$name")
        if [ -n "$before" ]; then
            snap set system "proxy.$name=$before"
        else
            snap unset system "proxy.$name" || true
        fi
    done
    [ ! -e "$folder/authorities.pem" ] || snap unset system store-certs.sitewright || true
fi
rm -rf "$folder"

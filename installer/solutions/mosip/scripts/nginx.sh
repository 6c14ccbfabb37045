# Nginx in front of the MOSIP cluster. The wish is ask (is all as it should be, and what is not),
# settled (the same, soon), make, or away (as it was before).
internal={{ internal_address }} public={{ public_address }} listen={{ nginx_listen }}
state=/var/lib/sitewright/mosip-nginx
file=/etc/nginx/nginx.conf
new=$file.sitewright
fail() { echo "error: $*" >&2; exit 1; }
tested() {
    # By Nginx itself, before it is told of it: an address that the machine does not have, a key that
    # does not fit and a module that lacks are refused here.
    said=$(nginx -t -q -c "$1" 2>&1) || { printf '%s\n' "$said" | tail -n 3 >&2; return 1; }
}

if [ {{ wish }} = away ]; then
    if [ ! -e "$state/before" ]; then
        echo "The configuration was not changed by Sitewright."
        exit 0
    fi
    cp -a "$state/before" "$new"
    if ! tested "$new"; then
        rm -f "$new"
        fail "what was in $file before does not pass Nginx's own test any more. Nothing was changed; it" \
            "lies in $state/before."
    fi
    mv -f "$new" "$file"
    ! systemctl is-active --quiet nginx || systemctl reload nginx
    rm -f "$state/before"
    echo "$file is as it was before."
    exit 0
fi

# Which addresses: by what the machine says.
have=$(ip -o addr show scope global | awk '{sub("/.*", "", $4); print $2, $4}')
has() { printf '%s\n' "$have" | awk -v wanted="$1" '$2 == wanted {found = 1} END {exit !found}'; }
named=$(printf '%s\n' "$have" | awk '{printf "%s%s (%s)", (NR > 1 ? ", " : ""), $2, $1}')
has "$internal" || fail "internal_address $internal is none of this machine's addresses: $named."
if [ -z "$listen" ] && has "$public"; then listen=$public; fi
if [ -z "$listen" ]; then
    # Somebody passes it on to the machine, to where its way out is.
    family=-4
    case $public in *:*) family=-6 ;; esac
    device=$(ip -o $family route show default | sed -n 's/.* dev \([^ ]*\).*/\1/p' | head -n 1)
    listen=$(ip -o $family addr show dev "${device:-lo}" scope global |
        awk '{sub("/.*", "", $4); print $4; exit}')
    [ -n "$listen" ] || fail "public_address $public is none of this machine's addresses ($named), and no" \
        "interface has the default route: say which is meant (nginx_listen)."
    if [ "$listen" = "$internal" ] && [ "$(printf '%s\n' "$have" | grep -c .)" != 1 ]; then
        fail "public_address $public is none of this machine's addresses ($named), and its default route" \
            "leads through internal_address: say which of them is the public one (nginx_listen)."
    fi
fi
has "$listen" || fail "nginx_listen $listen is none of this machine's addresses: $named."
inside() { case $1 in *:*) echo "[$1]" ;; *) echo "$1" ;; esac; }

umask 022
made=$(mktemp)
trap 'rm -f "$made" "$new"' EXIT
sed "s/INTERNAL:/$(inside "$internal"):/; s/PUBLIC:/$(inside "$listen"):/" > "$made" <<'END'
{% include 'templates/nginx/nginx.conf' %}
END
# Where both are one address, the internal names are the default there; names alone keep them apart.
[ "$listen" != "$internal" ] || sed -i '/# APART$/,/# APART ends$/d' "$made"
sed -i '/# APART/d' "$made"

if [ {{ wish }} != make ]; then
    cmp -s "$made" "$file" || fail "$file is not as it should be."
    systemctl is-active --quiet nginx || fail "Nginx does not run: journalctl -u nginx -n 20"
    python3 -I - {{ wish }} "$internal" "$listen" {{ nginx_certificate }} api.{{ domain }} <<'END'
import socket, ssl, sys, time
wish, internal, public, file, name = sys.argv[1:]
try:
    text = open(file).read()
    first = text[text.index("-----BEGIN CERT") : text.index("-----END CERT")]
    wanted = ssl.PEM_cert_to_DER_cert(f"{first}-----END CERTIFICATE-----\n")
except (OSError, ValueError) as error:
    sys.exit(f"{file} cannot be read: {error}")
context = ssl.create_default_context()
context.check_hostname = False
context.verify_mode = ssl.CERT_NONE


def said(address, port, secured):
    try:
        with socket.create_connection((address, port), timeout=5) as plain:
            if secured:
                with context.wrap_socket(plain, server_hostname=name) as shown:
                    if shown.getpeercert(True) != wanted:
                        return f"it shows another certificate than {file}; has Nginx read it since?"
    except ConnectionRefusedError:
        return "nobody listens there; Nginx says why: tail /var/log/nginx/error.log"
    except OSError as error:
        return f"no TLS is spoken there ({error})" if secured else str(error)
    return ""


served = [(internal, 443, True), (internal, 9000, True), (internal, 5432, False), (internal, 61616, False)]
served += [(public, 443, True)] if public != internal else []
end = time.monotonic() + (10 if wish == "settled" else 0)
while True:  # Nginx takes a new configuration up behind the back of whoever reloads it
    wrong = [f"{one[0]}, port {one[1]}: {why}" for one in served if (why := said(*one))]
    if not wrong or time.monotonic() > end:
        break
    time.sleep(0.2)
print("\n".join(wrong) or "Nginx serves both addresses.")
sys.exit(bool(wrong))
END
    exit 0
fi

cp "$made" "$new"
chmod 644 "$new"
tested "$new" || fail "the configuration does not pass Nginx's own test; $file was left as it is."
mkdir -p "$state"
if [ ! -e "$state/before" ] && ! grep -q '^# Written by Sitewright' "$file"; then
    cp -a "$file" "$state/before.part"
    mv -f "$state/before.part" "$state/before"
fi
mv -f "$new" "$file"
# A restart would cut connections off, a reload does not.
if systemctl is-active --quiet nginx; then
    systemctl reload nginx
else
    systemctl start nginx || fail "Nginx does not start: journalctl -u nginx -n 20"
fi
systemctl enable --quiet nginx
echo "Public names on $listen, internal ones on $internal: $named."

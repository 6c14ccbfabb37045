# Gives this machine the way out: the proxy of the site, what is reached past it, and authorities.
# Each place is written by one name of ours, or between two marks, so that unset.sh takes it back.
set -eu
proxy={{ way_out.proxy }}
no_proxy_list={{ way_out.no_proxy }}
authorities={{ way_out.authorities }}
folder=/etc/sitewright/way-out
mark='# >>> way out, written by Sitewright'
end='# <<< way out'
umask 022
mkdir -p "$folder"
# Of an earlier way out nothing stays that is no longer asked for: each place below is written or
# given back. Until all of them are, this one is not done.
rm -f "$folder/stamp"
had_authorities=
[ ! -e "$folder/authorities.pem" ] || had_authorities=yes

without_block() {
    [ ! -f "$1" ] || sed "\\|^$mark\$|,\\|^$end\$|d" "$1"
}

block() { # block FILE < TEXT: the file with our block at its end, written whole
    new=$(mktemp "$1.XXXXXX")
    { without_block "$1"; printf '%s\n' "$mark"; cat; printf '%s\n' "$end"; } >"$new"
    chmod 644 "$new"
    mv "$new" "$1"
}

# Authorities first: the proxy may sign with one of them.
rm -f /usr/local/share/ca-certificates/sitewright-way-out-*.crt
if [ -n "$authorities" ]; then
    mkdir -p /usr/local/share/ca-certificates
    printf '%s\n' "$authorities" | awk '
        /-----BEGIN CERTIFICATE-----/ { n++; file = sprintf("/usr/local/share/ca-certificates/sitewright-way-out-%02d.crt", n) }
        file { print > file }
        /-----END CERTIFICATE-----/ { close(file); file = "" }'
    printf '%s\n' "$authorities" >"$folder/authorities.pem"
fi
if command -v update-ca-certificates >/dev/null; then
    update-ca-certificates >/dev/null
elif [ -n "$authorities" ]; then
    echo "there is no update-ca-certificates: install the package ca-certificates" >&2
    exit 1
fi

if [ -n "$proxy" ]; then
    {
        echo "// Written by Sitewright."
        printf 'Acquire::http::Proxy "%s";\nAcquire::https::Proxy "%s";\n' "$proxy" "$proxy"
        # A program that apt asks for a proxy, by either of its names, would have the last word.
        for scheme in http https; do
            printf 'Acquire::%s::Proxy-Auto-Detect "";\nAcquire::%s::ProxyAutoDetect "";\n' \
                "$scheme" "$scheme"
        done
        printf '%s\n' "$no_proxy_list" | tr ',' '\n' | while read -r each; do
            case $each in
            '' | */* | *[!A-Za-z0-9.-]* | .*) continue ;;
            esac
            printf 'Acquire::http::Proxy::%s "DIRECT";\nAcquire::https::Proxy::%s "DIRECT";\n' \
                "$each" "$each"
        done
    } >/etc/apt/apt.conf.d/95sitewright-way-out

    block /etc/environment <<END
http_proxy="$proxy"
https_proxy="$proxy"
no_proxy="$no_proxy_list"
HTTP_PROXY="$proxy"
HTTPS_PROXY="$proxy"
NO_PROXY="$no_proxy_list"
END

    {
        printf '[http]\n\tproxy = %s\n' "$proxy"
        # Git knows no list: a name that is reached past the proxy has a section of its own.
        printf '%s\n' "$no_proxy_list" | tr ',' '\n' | while read -r each; do
            each=${each#.}
            case $each in
            '' | */* | *[!A-Za-z0-9.-]*) continue ;;
            esac
            for scheme in https http; do
                printf '[http "%s://%s/"]\n\tproxy =\n' "$scheme" "$each"
                printf '[http "%s://*.%s/"]\n\tproxy =\n' "$scheme" "$each"
            done
        done
    } | block /etc/gitconfig

    {
        echo '# Written by Sitewright.'
        echo '[Service]'
        for name in HTTP_PROXY HTTPS_PROXY http_proxy https_proxy; do
            printf 'Environment="%s=%s"\n' "$name" "$proxy"
        done
        for name in NO_PROXY no_proxy; do
            printf 'Environment="%s=%s"\n' "$name" "$no_proxy_list"
        done
    } >"$folder/service.conf"
else
    rm -f /etc/apt/apt.conf.d/95sitewright-way-out "$folder/service.conf"
    for file in /etc/environment /etc/gitconfig; do
        [ ! -f "$file" ] || ! grep -qxF "$mark" "$file" || {
            new=$(mktemp "$file.XXXXXX")
            without_block "$file" >"$new"
            chmod 644 "$new"
            mv "$new" "$file"
            # /etc/environment is the system's; a gitconfig that is empty now was made by us.
            [ "$file" != /etc/gitconfig ] || [ -s "$file" ] || rm "$file"
        }
    done
fi

# Without a pip.conf of its own the machine gets ours; one that is there is left alone, and so is
# ours once somebody added to it.
added='^(# >>> way out, written by Sitewright|\[global\]|proxy = .*|cert = /etc/ssl/certs/ca-certificates\.crt)$'
if [ ! -e /etc/pip.conf ] ||
    { grep -qxF "$mark" /etc/pip.conf && ! grep -qvE "$added" /etc/pip.conf; }; then
    {
        printf '%s\n[global]\n' "$mark"
        [ -z "$proxy" ] || printf 'proxy = %s\n' "$proxy"
        [ -z "$authorities" ] || echo 'cert = /etc/ssl/certs/ca-certificates.crt'
    } >/etc/pip.conf
else
    echo "/etc/pip.conf is there already and was left alone: give it the proxy by hand"
fi

for unit in docker containerd snap.microk8s.daemon-containerd snapd; do
    place=/etc/systemd/system/$unit.service.d/sitewright-way-out.conf
    before=$(cat "$place" 2>/dev/null || true)
    if [ -f "$folder/service.conf" ]; then
        mkdir -p "${place%/*}"
        cp "$folder/service.conf" "$place"
    else
        rm -f "$place"
    fi
    [ "$before" = "$(cat "$place" 2>/dev/null || true)" ] && [ -z "$authorities$had_authorities" ] && continue
    changed="${changed-} $unit.service"
done
if [ -d /run/systemd/system ]; then
    systemctl daemon-reload
    for unit in ${changed-}; do
        # Of most units there is only our part: what does not run takes it up when it starts.
        ! systemctl is-active --quiet "$unit" || systemctl restart "$unit"
    done
fi

if command -v snap >/dev/null && snap version >/dev/null 2>&1; then
    # What stood there before is kept, once, for the way back.
    for name in http https; do
        if [ -n "$proxy" ]; then
            [ -e "$folder/snap-$name" ] || snap get system "proxy.$name" >"$folder/snap-$name" 2>/dev/null || : >"$folder/snap-$name"
            snap set system "proxy.$name=$proxy"
        elif [ -e "$folder/snap-$name" ]; then
            before=$(cat "$folder/snap-$name")
            if [ -n "$before" ]; then
                snap set system "proxy.$name=$before"
            else
                snap unset system "proxy.$name"
            fi
            rm "$folder/snap-$name"
        fi
    done
    if [ -n "$authorities" ]; then
        snap set system "store-certs.sitewright=$authorities"
    elif [ -n "$had_authorities" ]; then
        snap unset system store-certs.sitewright
    fi
fi
# The last one: it says that places may still have the authorities.
[ -n "$authorities" ] || rm -f "$folder/authorities.pem"

printf '%s\n' {{ way_out.stamp }} >"$folder/stamp"

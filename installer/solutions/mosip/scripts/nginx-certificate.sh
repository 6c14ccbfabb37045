# Whether the certificate that Nginx is to show lies here with its key, is of every name, and holds.
certificate={{ nginx_certificate }} key={{ nginx_certificate_key }} domain={{ domain }}
bad=0
wrong() { echo "error: $*" >&2; bad=1; }
for file in "$certificate" "$key"; do
    [ -f "$file" ] && [ -r "$file" ] || wrong "$file is not there. Bring it, or say where it is" \
        "(nginx_certificate, nginx_certificate_key)."
done
[ "$bad" = 0 ] || exit 1
if ! of_certificate=$(openssl x509 -in "$certificate" -noout -pubkey 2>/dev/null); then
    wrong "$certificate holds no certificate in PEM."
    exit 1
fi
if ! of_key=$(openssl pkey -in "$key" -passin pass: -pubout 2>/dev/null); then
    wrong "$key holds no private key in PEM that opens without a password."
    exit 1
fi
[ "$of_certificate" = "$of_key" ] || wrong "$key is not the key of $certificate."
[ -z "$(find -L "$key" -maxdepth 0 -perm /004)" ] ||
    wrong "everybody on this machine may read $key: chmod 600 $key"
end=$(openssl x509 -in "$certificate" -noout -enddate | cut -d = -f 2)
if ! openssl x509 -in "$certificate" -noout -checkend 0 >/dev/null; then
    wrong "$certificate ended on $end."
elif ! openssl x509 -in "$certificate" -noout -checkend 2592000 >/dev/null; then
    wrong "$certificate ends within 30 days, on $end. Renew it first."
fi
lacking=
for word in api prereg resident api-internal admin iam minio pmp regclient; do
    # Its exit status says nothing; its words do.
    case $(openssl x509 -in "$certificate" -noout -checkhost "$word.$domain") in
    *"does match"*) ;;
    *) lacking="$lacking $word.$domain" ;;
    esac
done
[ -z "$lacking" ] || wrong "$certificate is not of:$lacking."
[ "$bad" = 0 ] || exit 1
echo "The certificate is of its key and of every name, until $end."

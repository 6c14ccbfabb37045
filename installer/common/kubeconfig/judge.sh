# judged_kubeconfig FILE SHA256: whether kubectl and Helm may go by a kubeconfig, which may name a
# program that root would start, and a file that would be sent to its server. SHA256 is of one that a
# person read and allowed to; empty where there is none. Searched as text and not by kubectl: of one
# that chooses its version by the server (Google's) every command logs in first.
judged_kubeconfig() {
    no() { echo "error: the kubeconfig $config $*" >&2; }
    has() { LC_ALL=C grep -qaiE "$1" <"$config"; }
    config=$1
    # As a word of its own: between other signs of base64 four letters stand by chance.
    names='(^|[^A-Za-z0-9+/=_-])(exec|tokenFile|auth-provider)($|[^A-Za-z0-9+/=_-])'
    # kubectl itself tells that there is none.
    [ -e "$config" ] || return 0
    sum=$(sha256sum <"$config") || { no "cannot be read"; return 1; }
    sum=${sum%% *}
    # A tag (also one that a %TAG line shortens, or whole in angles) can spell a key in base64.
    if has '\\|!|[^[:print:][:space:]]'; then
        no "has signs that can hide what it says (a backslash, a \"!\", a letter beyond ASCII): have kubectl" \
            "write it anew, kubectl config view --raw --flatten"
        return 1
    fi
    if LC_ALL=C grep -aiE 'insecure-skip-tls-verify' <"$config" |
        grep -qviE '^[[:space:]-]*"?insecure-skip-tls-verify"?[[:space:]]*:[[:space:]]*"?false"?[[:space:]]*,?[[:space:]]*$'; then
        no "has insecure-skip-tls-verify: anybody on the way could pose as the cluster and be given" \
            "its secrets; put the cluster's authority there instead"
        return 1
    fi
    if has "$names" && [ "$sum" != "$2" ]; then
        # The lines alone: what stands in them, and beside them, may be secret.
        lines=$(LC_ALL=C grep -naiE "$names" <"$config" | cut -d: -f1 |
            head -n 10 | paste -s -d ' ' -)
        no "names a program that root would start, or a file that would be sent to its server (line" \
            "$lines). Give one with a certificate or a token, of this context alone (kubectl config" \
            "view --raw --minify --flatten --context NAME); or read it, and allow this very file by" \
            "its SHA-256 in the settings: $sum"
        return 1
    fi
}

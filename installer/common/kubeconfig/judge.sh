# judged_kubeconfig FILE SHA256: whether kubectl and Helm may go by a kubeconfig, which may name a
# program that root would start, a file that would be sent to its server, and a server that is given
# tokens in clear. SHA256 is of one that a person read and allowed, empty where there is none: it is of
# these very bytes, so it holds whatever is found. Searched as text and not by kubectl: of one that
# chooses its version by the server (Google's) every command logs in first.
judged_kubeconfig() {
    config=$1
    # kubectl itself tells that there is none.
    [ -e "$config" ] || return 0
    sum=$(sha256sum <"$config") || { echo "error: the kubeconfig $config cannot be read" >&2; return 1; }
    sum=${sum%% *}
    [ "$sum" != "$2" ] || return 0
    no() {
        echo "error: the kubeconfig $config $*; or read it, and allow this very file by its SHA-256 in" \
            "the settings: $sum" >&2
    }
    # The lines alone: what stands in them, and beside them, may be secret.
    lines() {
        found=$(plain <"$config" | LC_ALL=C grep -naiE "$1" | cut -d: -f1 | head -n 10 | paste -s -d ' ' -)
        echo "line ${found:-that goes on in the next}"
    }
    has() { printf '%s\n' "$text" | plain | LC_ALL=C grep -aiE "$1" >/dev/null; }
    plain() { cat; }
    # A line that a backslash ends goes on in the next one, within double quotes (Rancher writes so).
    whole=$(LC_ALL=C awk '{
        sub(/\r$/, ""); if (on) sub(/^[ \t]+/, ""); on = sub(/\\$/, ""); printf "%s%s", $0, on ? "" : "\n"
    }' <"$config") || { no "could not be searched (by awk)"; return 1; }
    # A tag (also one that a %TAG line shortens, or whole in angles) can spell a key in base64, an alias
    # one that stands as a name elsewhere. Letters beyond ASCII spell none, but for two that are a k and
    # an s where nobody looks at their case.
    text=$whole
    if has "\\\\|(^|[^A-Za-z0-9_.])(!|[&*][^[:space:]])|$(printf '\342\204\252|\305\277')" ||
        LC_ALL=C tr -d '\200-\377' <"$config" | LC_ALL=C grep -aE '[^[:print:][:space:]]' >/dev/null; then
        no "has signs that can hide what it says (a backslash within a line, a tag with \"!\", an alias," \
            "a control character). Have kubectl write it anew, and name what it wrote (kubectl --kubeconfig" \
            "$config config view --raw --flatten >$config.new)"
        return 1
    fi
    # As it stands too: where no quotes are, the backslash of a comment would swallow what comes next.
    text="$(cat <"$config")
$whole"
    insecure='insecure-skip-tls-verify'
    if printf '%s\n' "$text" | LC_ALL=C grep -aiE "$insecure" |
        LC_ALL=C grep -aviE "^[[:space:]-]*\"?$insecure\"?[[:space:]]*:[[:space:]]*\"?false\"?[[:space:]]*,?[[:space:]]*\$" >/dev/null; then
        no "has $insecure ($(lines "$insecure")): anybody on the way could pose as the cluster and be" \
            "given its secrets. Put the cluster's authority there instead (certificate-authority-data)"
        return 1
    fi
    # As a word of its own: between other signs of base64 four letters stand by chance.
    names='(^|[^A-Za-z0-9+/=_-])(exec|tokenFile|auth-provider)($|[^A-Za-z0-9+/=_-])'
    if has "$names"; then
        no "names a program that root would start, or a file that would be sent to its server" \
            "($(lines "$names")). Give one with a certificate or a token, of this context alone (kubectl" \
            "config view --raw --minify --flatten --context NAME)"
        return 1
    fi
    # Whatever is no https, also no scheme at all, which kubectl reads as http where no authority stands
    # beside it. A cluster or a user may have the name.
    plain() {
        LC_ALL=C sed -E \
            -e "s/(name|cluster|user|current-context)[\"']?[[:space:]]*:[[:space:]]*[\"']?server([\"',} ]|\$)/ /g" \
            -e "s#server[\"']?[[:space:]]*:[[:space:]]*[\"']?https://#//#g"
    }
    server="(^|[[:space:]{,?\"'])server[\"']?[[:space:]]*(:|\$)"
    if has "$server"; then
        no "has a server that is not written as https://NAME:PORT, on the same line ($(lines "$server")):" \
            "tokens would be sent to it in clear, and anybody on the way could pose as the cluster. Write" \
            "its https address"
        return 1
    fi
}

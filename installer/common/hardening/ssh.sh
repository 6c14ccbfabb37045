# Whether sshd takes keys alone. What it tells of itself (-T) is for a login that no Match block
# concerns; what such a block allows stands in its files.
root
need sshd
said=$(sshd -T) || untold "sshd does not tell its settings"
bad=$(printf '%s\n' "$said" | grep -iE '^(passwordauthentication yes|kbdinteractiveauthentication yes|permitrootlogin yes|permitemptypasswords yes)$')
[ -z "$bad" ] || fails $bad
printf '%s\n' "$said" | grep -qi '^passwordauthentication no$' || untold "sshd does not name passwordauthentication"
for file in /etc/ssh/sshd_config /etc/ssh/sshd_config.d/*.conf; do
    [ -e "$file" ] || continue
    bad=$(awk '
        tolower($1) == "match" {within = 1}
        within && tolower($0) ~ /^[ \t]*(passwordauthentication|kbdinteractiveauthentication|challengeresponseauthentication|permitemptypasswords|permitrootlogin)[ \t=]+"?yes/ {print FNR ":", $0}
    ' "$file") || untold "$file cannot be read"
    [ -z "$bad" ] || fails "in a Match block of $file, line" $bad
done
holds "passwords are refused"

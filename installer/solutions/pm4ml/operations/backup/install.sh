# Puts the program of the backup on the first master, each part whole or not at all.
umask 022
folder=/usr/local/lib/sitewright/backup
mkdir -p "$folder" /usr/local/sbin
write() { cat > "$1.new"; chmod "$2" "$1.new"; mv -f "$1.new" "$1"; }
write "$folder/__init__.py" 644 <<'END-OF-PART'
{% include 'operations/backup/__init__.py' %}
END-OF-PART
write "$folder/__main__.py" 644 <<'END-OF-PART'
{% include 'operations/backup/__main__.py' %}
END-OF-PART
write "$folder/datastore.py" 644 <<'END-OF-PART'
{% include 'operations/backup/datastore.py' %}
END-OF-PART
write "$folder/reading.py" 644 <<'END-OF-PART'
{% include 'operations/backup/reading.py' %}
END-OF-PART
write "$folder/restoring.py" 644 <<'END-OF-PART'
{% include 'operations/backup/restoring.py' %}
END-OF-PART
write "$folder/saving.py" 644 <<'END-OF-PART'
{% include 'operations/backup/saving.py' %}
END-OF-PART
write "$folder/sealed.py" 644 <<'END-OF-PART'
{% include 'operations/backup/sealed.py' %}
END-OF-PART
write "$folder/target.py" 644 <<'END-OF-PART'
{% include 'operations/backup/target.py' %}
END-OF-PART
write "$folder/told.py" 644 <<'END-OF-PART'
{% include 'operations/backup/told.py' %}
END-OF-PART
write "$folder/vault.py" 644 <<'END-OF-PART'
{% include 'operations/backup/vault.py' %}
END-OF-PART
write "$folder/vault_back.py" 644 <<'END-OF-PART'
{% include 'operations/backup/vault_back.py' %}
END-OF-PART
# A copy of its own, since the other goes where the applications are taken back.
write "$folder/vaults.py" 644 <<'END-OF-PART'
{% include 'operations/vaults.py' %}
END-OF-PART
write /usr/local/sbin/sitewright-backup 755 <<'END-OF-PART'
{% include 'operations/backup/sitewright-backup' %}
END-OF-PART

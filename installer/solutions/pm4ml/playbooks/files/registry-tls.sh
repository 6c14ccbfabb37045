#!/bin/sh
# Makes the registry's authority and its certificate in the folder $1, both for ten years; the key
# of the authority is removed at once. Names and uses stand in $1/registry.cnf.
set -eu
umask 077
cd -- "$1"
work=$(mktemp -d ./make.XXXXXX)
trap 'rm -rf "$work"' EXIT
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 -sha256 \
    -config registry.cnf -extensions authority -keyout "$work/ca.key" -out "$work/ca.crt"
openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -sha256 \
    -config registry.cnf -subj "/CN=site registry" -keyout "$work/registry.key" -out "$work/registry.csr"
openssl x509 -req -in "$work/registry.csr" -CA "$work/ca.crt" -CAkey "$work/ca.key" -days 3650 \
    -sha256 -CAcreateserial -extfile registry.cnf -extensions server -out "$work/registry.crt"
chgrp docker-registry "$work/registry.key" "$work/registry.crt" "$work/ca.crt"
chmod 0640 "$work/registry.key"
chmod 0644 "$work/registry.crt" "$work/ca.crt"
mv "$work/registry.key" "$work/ca.crt" .
# The last one: whoever finds it finds the others too.
mv "$work/registry.crt" .

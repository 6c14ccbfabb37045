python3 -I - {{ domain }} {{ public_address }} {{ internal_address }} <<'END'
import socket, sys
domain, public, internal = sys.argv[1:]
bad = 0
for address, names in (
    (public, "api prereg resident"),
    (internal, ". api-internal admin activemq iam kafka minio pmp postgres regclient onboarder smtp"),
):
    for word in names.split():
        name = domain if word == "." else f"{word}.{domain}"
        try:
            found = sorted({one[4][0] for one in socket.getaddrinfo(name, 443)})
        except OSError as error:
            found, why = [], f"does not resolve: {error}"
        else:
            why = f"leads to {', '.join(found)}"
        if found != [address]:
            print(f"{name} {why}; it should lead to {address}")
            bad = 1
print("Every name leads to its address." if not bad else "Mend these records.")
sys.exit(bad)
END

python3 -I - {{ domain }} {{ public_address }} {{ internal_address }} {{ "own" if self_signed else "public" }} <<'END'
import socket, ssl, sys, time
domain, public, internal, authority = sys.argv[1:]
bad = 0
for address, names in (
    (public, "api prereg resident"),
    (internal, "api-internal admin iam minio pmp regclient"),
):
    for word in names.split():
        name = f"{word}.{domain}"
        context = ssl.create_default_context()
        if authority == "own":
            # Nobody vouches for it; that it is shown at all, and for this name, is asked below.
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        try:
            with socket.create_connection((address, 443), timeout=10) as plain:
                with context.wrap_socket(plain, server_hostname=name) as shown:
                    told = shown.getpeercert()
        except (OSError, ValueError) as error:
            print(f"{name} at {address}: {getattr(error, 'verify_message', '') or error}")
            bad = 1
            continue
        if not told:
            continue
        left = (ssl.cert_time_to_seconds(told["notAfter"]) - time.time()) / 86400
        if left < 30:
            print(f"{name}: its certificate ends in {left:.0f} days")
            bad = 1
print("Every certificate holds." if not bad else "Mend these certificates on Nginx.")
sys.exit(bad)
END

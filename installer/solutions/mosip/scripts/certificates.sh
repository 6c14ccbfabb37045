python3 -I - {{ domain }} {{ public_address }} {{ internal_address }} {{ "own" if self_signed else "public" }} <<'END'
import socket, ssl, sys, time
domain, public, internal, authority = sys.argv[1:]
PARTIAL_CHAIN = 0x80000  # X509_V_FLAG_PARTIAL_CHAIN: the certificate itself is what is believed


def seen(address, name, context, binary=False):
    with socket.create_connection((address, 443), timeout=10) as plain:
        with context.wrap_socket(plain, server_hostname=name) as shown:
            return shown.getpeercert(binary)


def context_of(address, name):
    if authority != "own":
        return ssl.create_default_context()
    # Nobody vouches for it: it is believed as it is shown, and has to be of this name and of today.
    blind = ssl.create_default_context()
    blind.check_hostname = False
    blind.verify_mode = ssl.CERT_NONE
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    own = ssl.DER_cert_to_PEM_cert(seen(address, name, blind, True))
    context.load_verify_locations(cadata=own)
    context.verify_flags |= PARTIAL_CHAIN
    return context


bad = 0
for address, names in (
    (public, "api prereg resident"),
    (internal, "api-internal admin iam minio pmp regclient"),
):
    for word in names.split():
        name = f"{word}.{domain}"
        try:
            told = seen(address, name, context_of(address, name))
        except (OSError, ValueError) as error:
            print(f"{name} at {address}: {getattr(error, 'verify_message', '') or error}")
            bad = 1
            continue
        left = (ssl.cert_time_to_seconds(told["notAfter"]) - time.time()) / 86400
        if left < 30:
            print(f"{name}: its certificate ends in {left:.0f} days")
            bad = 1
well = "is of its name and of today; who made it nobody vouches for" if authority == "own" else "holds"
print(f"Every certificate {well}." if not bad else "Mend these certificates on Nginx.")
sys.exit(bad)
END

# Each gateway's own health at each node, by the NodePorts of their status: 30521 public, 31521 internal.
# A request to 30080 or 31080 would tell nothing: nobody listens there before the gateways have hosts.
python3 -I - {{ cluster_addresses }} <<'END'
import http.client, sys
bad = 0
for address in [word.strip() for word in sys.argv[1].split(",") if word.strip()]:
    for which, port in (("public", 30521), ("internal", 31521)):
        try:
            asked = http.client.HTTPConnection(address, port, timeout=5)
            asked.request("GET", "/healthz/ready")
            status = asked.getresponse().status
            why = "" if status == 200 else f"it answers {status}, so it is not ready"
        except (OSError, http.client.HTTPException) as error:
            why = str(error) or type(error).__name__
        if why:
            print(f"the {which} gateway at {address}, port {port}: {why}")
            bad = 1
print("Both gateways answer at every node." if not bad else
      "Istio's gateways are to be NodePorts 30521 and 31521, and the nodes to let Nginx in.")
sys.exit(bad)
END

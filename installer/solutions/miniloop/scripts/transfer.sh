# One transfer from the simulated bank payerfsp to a customer of payeefsp, in the NAMESPACE of the
# hub, told in the order in which it happens. What it needs was made by the golden path's provisioning.
python3 -I - "$NAMESPACE" <<'END'
import decimal, json, subprocess, sys, time, urllib.error, urllib.request, uuid
from email.utils import formatdate

namespace, amount, currency, number = sys.argv[1], "100", "XXX", "27713803912"
PARTICIPANTS = "application/vnd.interoperability.participants+json;version=1.1"
NAMES = {}


def end(sentence):
    print(f"error: {sentence}", file=sys.stderr)
    sys.exit(1)


def address(service, port):
    words = ["microk8s", "kubectl", "-n", namespace, "get", "service", service,
             "-o", "jsonpath={.spec.clusterIP}"]
    asked = subprocess.run(words, capture_output=True, text=True, check=False)
    if asked.returncode or not asked.stdout:
        end(f"there is no service {service} in {namespace}: {asked.stderr.strip()}")
    NAMES[service] = f"http://{asked.stdout}:{port}"
    return NAMES[service]


def ask(method, url, body=None, headers=None, timeout=60):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json", **(headers or {})}, method=method)
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=timeout) as answer:
            status, text = answer.status, answer.read(1 << 20)
    except urllib.error.HTTPError as error:
        status, text = error.code, error.read(1 << 20)
    except OSError as error:
        whose = next((name for name, there in NAMES.items() if url.startswith(there)), url)
        end(f"{whose} does not answer: {getattr(error, 'reason', error)}; see: sitewright services")
    try:
        return status, json.loads(text or b"{}")
    except ValueError:
        return status, {}


def part(value, *names):
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def position(bank):
    status, told = ask("GET", f"{ledger}/participants/{bank}/positions?currency={currency}")
    value = part(told, "value")
    if status != 200 or value is None:
        end(f"the ledger does not know the bank {bank} with {currency} ({status}); the golden path's "
            "provisioning makes it: sitewright verify")
    return money(value)


def money(value):
    # Not in binary, in which 99.99 and 100 are not 199.99.
    try:
        return decimal.Decimal(str(value))
    except decimal.InvalidOperation:
        end(f"that is no amount: {str(value)[:60]}")


ledger = address("moja-centralledger-service", 80)
lookup = address("moja-account-lookup-service", 80)
payer = address("moja-sim-payerfsp-scheme-adapter", 4001)
payee = address("moja-sim-payeefsp-backend", 3003)

before = {bank: position(bank) for bank in ("payerfsp", "payeefsp")}
ask("POST", f"{payee}/repository/parties", {
    "displayName": "First Receiver", "firstName": "First", "middleName": "A", "lastName": "Receiver",
    "dateOfBirth": "1984-01-01", "idType": "MSISDN", "idValue": number})
status, told = ask("POST", f"{lookup}/participants/MSISDN/{number}", {"fspId": "payeefsp", "currency": currency}, {
    "Content-Type": PARTICIPANTS, "Accept": PARTICIPANTS, "FSPIOP-Source": "payeefsp",
    "Date": formatdate(usegmt=True)})
if status not in (200, 201, 202):
    end(f"the account lookup does not take the number {number} ({status}): {json.dumps(told)[:300]}")
print(f"0. payeefsp tells the hub that the number {number} is a customer of its own.")

status, told = ask("POST", f"{payer}/transfers", {
    "homeTransactionId": str(uuid.uuid4()),
    "from": {"displayName": "First Sender", "idType": "MSISDN", "idValue": "44123456789"},
    "to": {"idType": "MSISDN", "idValue": number},
    "amountType": "SEND", "currency": currency, "amount": amount, "transactionType": "TRANSFER",
    "note": "the first transfer"})
for _ in range(3):
    # Where the simulated bank asks its customer first, the customer says yes.
    state = part(told, "currentState")
    accept = {"WAITING_FOR_PARTY_ACCEPTANCE": {"acceptParty": True},
              "WAITING_FOR_QUOTE_ACCEPTANCE": {"acceptQuote": True}}.get(state)
    if accept is None:
        break
    status, told = ask("PUT", f"{payer}/transfers/{part(told, 'transferId')}", accept)

state, transfer = part(told, "currentState"), part(told, "transferId")
name = part(told, "to", "displayName") or part(told, "getPartiesResponse", "body", "party", "name") or "a customer"
bank = part(told, "to", "fspId") or part(told, "getPartiesResponse", "body", "party", "partyIdInfo", "fspId") or "?"
quote = part(told, "quoteResponse", "body") or part(told, "quoteResponse") or {}
fulfil = part(told, "fulfil", "body") or part(told, "fulfil") or {}
if state != "COMPLETED":
    reason = part(told, "lastError") or part(told, "message") or told
    end(f"the transfer was not carried: {state or f'answer {status}'}: {json.dumps(reason)[:400]}")
print(f"1. Lookup: payerfsp asks the hub whose number that is. It is {name}, at the bank {bank}.")
offered = part(quote, "transferAmount", "amount") or amount
print(f"2. Agreement: {bank} offers its terms: {currency} {offered} are to be transferred, "
      f"fee {part(quote, 'payeeFspFee', 'amount') or 'none'}.")
print(f"3. Clearing: the hub reserves {currency} {offered} of payerfsp, {bank} accepts, the hub commits.")
print(f"   transfer {transfer}, state {part(fulfil, 'transferState') or state}, "
      f"fulfilment {part(fulfil, 'fulfilment') or '(not told)'}")

until = time.monotonic() + 30
while True:
    after = {one: position(one) for one in before}
    moved = {one: after[one] - before[one] for one in before}
    if moved["payerfsp"] == money(offered) and moved["payeefsp"] == -money(offered):
        break
    if time.monotonic() > until:
        end(f"it is said to be completed, and the ledger's positions moved otherwise: "
            + ", ".join(f"{one} {change}" for one, change in moved.items()))
    time.sleep(0.5)
print("4. The ledger, what each bank owes the others (its position):")
for one in before:
    print(f"   {one:<10} {before[one]:>10.2f} -> {after[one]:>10.2f}")
print(f"Done: {currency} {offered} went from payerfsp to {bank}.")
END
# That it was sent, by this very hub: one that is installed anew has a ledger without it.
mkdir -p /var/lib/sitewright/miniloop
microk8s kubectl -n "$NAMESPACE" get service moja-centralledger-service -o 'jsonpath={.metadata.uid}' \
    > /var/lib/sitewright/miniloop/first-transfer

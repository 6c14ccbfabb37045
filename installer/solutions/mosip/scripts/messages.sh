# Where mails and text messages go out; the passwords come over standard input, and leave by it.
encoded() { printf %s "$1" | base64 | tr -d '\n'; }
kubectl --kubeconfig {{ kubeconfig }} apply --server-side --force-conflicts \
    --field-manager=sitewright --filename - <<END
apiVersion: v1
kind: ConfigMap
metadata: {name: msg-gateway, namespace: msg-gateways}
data:
  smtp-host: "$(printf %s {{ smtp_host }})"
  smtp-port: "$(printf %s {{ smtp_port }})"
  smtp-username: "$(printf %s {{ smtp_user }})"
  sms-host: "$(printf %s {{ sms_host }})"
  sms-port: "$(printf %s {{ sms_port }})"
  sms-username: "$(printf %s {{ sms_user }})"
---
apiVersion: v1
kind: Secret
metadata: {name: msg-gateway, namespace: msg-gateways}
data:
  smtp-secret: "$(encoded "${smtp_password:-}")"
  sms-secret: "$(encoded "${sms_password:-}")"
  sms-authkey: "$(encoded authkey)"
END

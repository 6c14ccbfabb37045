# MySQL and Kafka as the hub will meet them: from a pod of its own namespace, with the images that
# its pods wait with, under its policies, by the secret. The pod goes again whatever comes of it.
kubectl=/var/lib/sitewright/helm-deploy/kubectl
pod=sitewright-asks-backing
gone() { "$kubectl" -n "$NAMESPACE" delete pod "$pod" --ignore-not-found --wait --timeout=60s >/dev/null; }
trap gone EXIT
gone
if ! key=$("$kubectl" -n "$NAMESPACE" get secret mysqldb -o 'jsonpath={.data.mysql-password}' 2>&1) ||
    [ -z "$key" ]; then
    echo "error: there is no secret mysqldb with the key mysql-password in $NAMESPACE" >&2
    exit 1
fi
mode=PREFERRED volumes="" mounts=""
if [ "$TLS" = yes ]; then
    mode=VERIFY_IDENTITY
    if [ -n "$CA" ]; then
        volumes="volumes: [{name: ca, secret: {secretName: $CA}}]"
        mounts="volumeMounts: [{name: ca, mountPath: /ca, readOnly: true}]"
    fi
fi
asks() {
    cat <<END
    - name: $2-$(printf %s "$1" | tr _ -)
      image: docker.io/library/mysql:9.0.1
      command: [mysql, --host=$MYSQL_HOST, --port=$MYSQL_PORT, --user=$1, --database=$1,
        --protocol=TCP, --connect-timeout=10, --ssl-mode=$mode${mounts:+, --ssl-ca=/ca/ca.crt}, --batch,
        --execute, "select 1"]
      env: [{name: MYSQL_PWD, valueFrom: {secretKeyRef: {name: mysqldb, key: mysql-password}}}]
      $mounts
END
}
"$kubectl" -n "$NAMESPACE" apply -f - >/dev/null <<END
apiVersion: v1
kind: Pod
metadata:
  name: $pod
  labels: {app.kubernetes.io/managed-by: sitewright}
spec:
  restartPolicy: Never
  activeDeadlineSeconds: 300
  terminationGracePeriodSeconds: 0
  automountServiceAccountToken: false
  $volumes
  containers:
$(for user in account_lookup central_ledger oracle_msisdn; do asks "$user" mysql; done)
    - name: kafka
      image: docker.io/solsson/kafka:2.8.1
      command: [timeout, "30", ./bin/kafka-broker-api-versions.sh, --bootstrap-server, "$KAFKA_HOST:$KAFKA_PORT"]
END
until=$(($(date +%s) + 280))
while :; do
    states=$("$kubectl" -n "$NAMESPACE" get pod "$pod" -o \
        'jsonpath={range .status.containerStatuses[*]}{.name}={.state.terminated.exitCode}{.state.waiting.reason}{"\n"}{end}')
    case $states in
    *ErrImage* | *ImagePullBackOff* | *CreateContainer* | *InvalidImage*)
        "$kubectl" -n "$NAMESPACE" get events --field-selector "involvedObject.name=$pod,type=Warning" \
            --no-headers -o custom-columns=WHY:.message | tail -n 3 >&2
        echo "error: the pod that asks cannot begin:" $(printf '%s\n' "$states" | grep -v '=[0-9]*$') >&2
        exit 1
        ;;
    esac
    if [ -n "$states" ] && ! printf '%s\n' "$states" | grep -qv '=[0-9][0-9]*$'; then break; fi
    if [ "$(date +%s)" -gt "$until" ]; then
        "$kubectl" -n "$NAMESPACE" get events --field-selector "involvedObject.name=$pod,type=Warning" \
            --no-headers -o custom-columns=WHY:.message | tail -n 3 >&2
        echo "error: after 280 s the pod that asks has not ended" >&2
        exit 1
    fi
    sleep 1
done
bad=""
for state in $states; do
    name=${state%%=*}
    if [ "${state#*=}" = 0 ]; then
        echo "$name: reached, and it answers"
    else
        why=$("$kubectl" -n "$NAMESPACE" logs "$pod" -c "$name" --tail=3 2>/dev/null | tail -n 1)
        echo "$name: ${why:-ended with ${state#*=}}" >&2
        bad="$bad $name"
    fi
done
[ -z "$bad" ] || {
    echo "error: from a pod of $NAMESPACE not usable:$bad (MySQL $MYSQL_HOST:$MYSQL_PORT, Kafka $KAFKA_HOST:$KAFKA_PORT)" >&2
    exit 1
}

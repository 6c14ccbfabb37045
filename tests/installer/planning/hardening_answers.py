"""What programs answer where a site is as its hardening list asks, and where nothing of it is so.

By program: the words that stand in its command, how it ends, what it writes; the first that fits
is taken, and "" fits always.
"""

from __future__ import annotations

from typing import Final

Answers = dict[str, list[tuple[str, int, str]]]

_UFW: Final = (
    "Status: active\nDefault: deny (incoming), allow (outgoing)\n"
    "2379,2380/tcp  ALLOW IN  10.0.0.0/24\n22/tcp  ALLOW IN  Anywhere\n"
)
_API: Final = (
    "kube-apiserver --profiling=false --audit-log-path=/a --kubelet-certificate-authority=/b\n"
)
_OPEN: Final = "table ip filter {\n type filter hook input priority 0; policy accept;\n}\n"
_OTP: Final = '{"propertySources":[{"source":{"mosip.kernel.auth.proxy-otp":"%s"}}]}'
_LOG: Final = '{"propertySources":[{"source":{"logging.level.io.mosip":"%s"}}]}'
_KAFKA: Final = '"name": "KAFKA_CFG_DELETE_TOPIC_ENABLE",\n"value": "%s"\n'
_SSHD: Final = "passwordauthentication %s\npermitrootlogin without-password\n"
_LISTENING: Final = (
    "LISTEN 0 9 0.0.0.0:22 0.0.0.0:*\nLISTEN 0 9 *:443 *:*\nLISTEN 0 9 127.0.0.1:9 *:*\n"
)

GOOD: Final[dict[str, Answers]] = {
    "mosip": {
        "sysctl": [("", 0, "1\n0\n10\n1\n25000000\n")],
        "getent": [("", 0, "etcd:x:52034:52034::/home/etcd:/sbin/nologin\n")],
        "swapon": [("", 0, "")],
        "systemctl": [("show", 0, "loaded\n"), ("list-dependencies", 0, "swap.target\n")],
        "ufw": [("", 0, _UFW)],
        "ps": [("", 0, _API)],
        "exportfs": [("", 0, "/srv/nfs \t10.0.0.0/24(rw,root_squash)\n")],
        "stat": [("/srv/nfs", 0, "770\n"), ("", 0, "600\n")],
        "curl": [("api.", 0, "200"), ("", 7, "000")],
        "openssl": [("s_client", 0, "CERT\n"), ("-checkend", 0, ""),
                    ("-checkhost", 0, "Hostname does match certificate\n"), ("", 0, "CERT\n")],
        "kubectl": [
            ("get nodes", 0, "n1\nn2\n"),
            ("/proxy/configz", 0, '{"kubeletconfig":{"protectKernelDefaults":true}}'),
            ("serviceaccounts", 0, "a   false\nb   false\n"),
            (".reclaimPolicy", 0, "true Retain nfs\n Delete other\n"),
            ("allowVolumeExpansion", 0, "true nfs true\n"),
            ("storageclasses", 0, "true nfs\n other\n"),
            ("persistentvolumes", 0, "pv-1 Retain\n"),
            ("customresourcedefinitions", 0, "crd/settings.longhorn.io\n"),
            ("default-replica-count", 0, "3"),
            ("backup-target", 0, "s3://backups"),
            ("config/application", 0, _LOG % "INFO"),
            ("config/kernel", 0, _OTP % "false"),
            ("configmaps,statefulsets", 0, _KAFKA % "false"),
            ("deployments,statefulsets", 0, "idrepo identity\n"),
            ("kafka get statefulsets", 0, "statefulset.apps/kafka\n"),
            ("envoyfilters", 0, "envoyfilter/rate\n"),
            ("deployments", 0, "prereg gateway 2\nabis mock 1\n"),
            ("bootstrap-secret", 0, "eHg="),
            ("get namespace cattle", 0, "namespace/cattle-monitoring-system\n"),
            ("grafana", 0, "eHg="),
        ],
    },
    "pm4ml": {
        "nft": [("", 0, "table inet sitewright {\n}\n")],
        "python3": [(" 22", 0, "open\n"), ("", 0, "silent\n")],
        "sshd": [("", 0, _SSHD % "no")],
        "ss": [("", 0, _LISTENING)],
        "microk8s": [
            ("gateways", 0, "HTTPS SIMPLE  TLSV1_2\nHTTP  true \n"),
            ("peerauthentications", 0, "istio-system STRICT\n"),
            ("get nodes", 0, "master-1  NoSchedule\nworker-1  \n"),
            ("get pods", 0, "a r:100m:64Mi l:128Mi\n"),
            ("certificates", 0, "a/b True\n"),
        ],
    },
    "helm-deploy": {
        "kubectl": [
            ("networkpolicies", 0, '{} ["Ingress"] one\n{} ["Egress"] two\n'),
            ("get namespace", 0, "baseline"),
            ("resourcequotas", 0, "resourcequota/a\nlimitrange/b\n"),
            ("cronjobs", 0, "LOG_LEVEL info\nDB_PASSWORD \n"),
            ("get deployments -o name", 0, "deployment/a\n"),
            ("ingresses", 0, "a secret\n"),
            ("hostNetwork", 0, "a \nb false\n"),
            ("get pods", 0, "a main istio-proxy \n"),
            ("can-i", 1, "no\n"),
        ],
    },
    "miniloop": {
        "stat": [("", 0, "660\n")],
        "curl": [("", 0, "403")],
        "microk8s": [("services", 0, "mysqldb ClusterIP\nhub NodePort\n")],
    },
    "core-test-harness": {
        "ss": [("", 0, _LISTENING)],
        "stat": [("", 0, "660\n")],
        "docker": [("", 0, "mysql 127.0.0.1:3306->3306/tcp\nledger 0.0.0.0:3001->3001/tcp\n")],
    },
    "iac": {
        "sshd": [("", 0, _SSHD % "no")],
        "microk8s": [
            ("networkpolicies", 0, "mojaloop\n"),
            ("get namespaces", 0, "default\nmojaloop\n"),
            ("peerauthentications", 0, "istio-system STRICT\n"),
            ("certificates", 0, "a/b True\n"),
        ],
    },
}  # fmt: skip

BAD: Final[dict[str, Answers]] = {
    "mosip": {
        "sysctl": [("", 0, "0\n0\n10\n1\n25000000\n")],
        "getent": [("", 2, "")],
        "swapon": [("", 0, "/swap.img file 2G 0B -2\n")],
        "systemctl": [
            ("show", 0, "loaded\n"),
            ("list-dependencies", 0, "swap.target\nswap.img.swap\n"),
            ("is-enabled --quiet zramswap", 0, ""),
        ],
        "ufw": [("", 0, _UFW.replace("10.0.0.0/24", "Anywhere"))],
        "ps": [("", 0, "kube-apiserver --profiling=true --audit-log-path=/a\n")],
        "exportfs": [("", 0, "/srv/nfs \t<world>(rw,no_root_squash)\n")],
        "stat": [("/srv/nfs", 0, "777\n"), ("", 0, "644\n")],
        "curl": [("", 0, "200")],
        "openssl": [("s_client", 0, "CERT\n"), ("-checkend", 1, ""), ("-enddate", 0, "notAfter\n"),
                    ("", 0, "CERT\n")],
        "kubectl": [
            ("get nodes", 0, "n1\nn2\n"),
            ("n2/proxy/configz", 0, '{"kubeletconfig":{"protectKernelDefaults":false}}'),
            ("n1/proxy/configz", 0, '{"kubeletconfig":{"protectKernelDefaults":true}}'),
            ("serviceaccounts", 0, "a   false\nb   <none>\n"),
            (".reclaimPolicy", 0, "true Delete nfs\n"),
            ("allowVolumeExpansion", 0, "true nfs \n"),
            ("storageclasses", 0, "true nfs\ntrue other\n"),
            ("persistentvolumes", 0, "pv-1 Retain\npv-2 Delete\n"),
            ("customresourcedefinitions", 0, "crd/settings.longhorn.io\n"),
            ("default-replica-count", 0, "1"),
            ("backup-target", 0, "s3://backups"),
            ("config/application", 0, _LOG % "DEBUG"),
            ("config/kernel", 0, _OTP % "true"),
            ("configmaps,statefulsets", 0, _KAFKA % "true"),
            ("deployments,statefulsets", 0, "abis mock-abis\n"),
            ("kafka get statefulsets", 0, "statefulset.apps/kafka\n"),
            ("envoyfilters", 0, ""),
            ("deployments", 0, "prereg gateway 1\n"),
            ("bootstrap-secret", 0, "YWRtaW4="),
            ("get namespace cattle", 0, "namespace/cattle-monitoring-system\n"),
            ("grafana", 0, "cHJvbS1vcGVyYXRvcg=="),
        ],
    },
    "pm4ml": {
        "nft": [("", 0, _OPEN)],
        "python3": [("", 0, "open\n")],
        "sshd": [("", 0, _SSHD % "yes")],
        "ss": [("", 0, _LISTENING + "LISTEN 0 9 [::]:8080 [::]:*\n")],
        "microk8s": [
            ("gateways", 0, "HTTPS SIMPLE  TLSV1_0\nHTTP   \n"),
            ("peerauthentications", 0, "istio-system PERMISSIVE\n"),
            ("get nodes", 0, "master-1  \nworker-1  \n"),
            ("get pods", 0, "a r:100m:64Mi l:128Mi\nb r:: l:\n"),
            ("certificates", 0, "a/b False\n"),
        ],
    },
    "helm-deploy": {
        "kubectl": [
            ("networkpolicies", 0, '{} ["Ingress"] one\n{"a":"b"} ["Egress"] two\n'),
            ("get namespace", 0, ""),
            ("resourcequotas", 0, "resourcequota/a\n"),
            ("cronjobs", 0, "DB_PASSWORD secret\n"),
            ("get deployments -o name", 0, "deployment/a\n"),
            ("ingresses", 0, "a \n"),
            ("hostNetwork", 0, "a true\n"),
            ("get pods", 0, "a main \n"),
            ("can-i", 0, "yes\n"),
        ],
    },
    "miniloop": {
        "stat": [("", 0, "664\n")],
        "curl": [("", 0, "200")],
        "microk8s": [("services", 0, "mysqldb NodePort\n")],
    },
    "core-test-harness": {
        "ss": [("", 0, "LISTEN 0 9 *:2375 *:*\n")],
        "stat": [("", 0, "666\n")],
        "docker": [("", 0, "mysql 0.0.0.0:3306->3306/tcp\n")],
    },
    "iac": {
        "sshd": [("", 0, _SSHD % "yes")],
        "microk8s": [
            ("networkpolicies", 0, "default\n"),
            ("get namespaces", 0, "default\nmojaloop\n"),
            ("peerauthentications", 0, ""),
            ("certificates", 0, "a/b False\n"),
        ],
    },
}  # fmt: skip

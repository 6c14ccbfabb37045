# The test cases of RELEASE out of the repository that was delivered (REPOSITORY), given out by HTTP
# to the pods of NAMESPACE as the service miniloop-files: the archive that GitHub would give, and
# the rules of the toolkit.
if [ "$RELEASE" != 17.1.0 ]; then
    # bundle.yaml names one commit of them.
    echo "error: the bundle brings the test cases of 17.1.0, and the release is $RELEASE;" \
        "leave the setting release as it is" >&2
    exit 1
fi
folder=/var/lib/sitewright/miniloop/files
name=testing-toolkit-test-cases-$RELEASE
new=$(mktemp -d)
trap 'rm -rf "$new"' EXIT
git -c core.hooksPath=/dev/null clone -q --bare -- "$REPOSITORY" "$new/repository"
mkdir -p "$new/files"
git -C "$new/repository" archive --format=zip --prefix="$name/" -o "$new/files/$name.zip" bundle
git -C "$new/repository" archive bundle rules | tar -x -C "$new/files"
mkdir -p "$(dirname "$folder")"
rm -rf "$folder"
mv "$new/files" "$folder"
chmod -R a+rX "$folder"
cat > /etc/systemd/system/sitewright-miniloop-files.service <<'END'
[Unit]
Description=Test cases of Miniloop, given out to its pods (written by Sitewright)
[Service]
DynamicUser=yes
ExecStart=/usr/bin/python3 -I -m http.server --directory /var/lib/sitewright/miniloop/files 8091
Restart=always
[Install]
WantedBy=multi-user.target
END
chmod a+x /var/lib/sitewright /var/lib/sitewright/miniloop
systemctl daemon-reload
systemctl enable --quiet sitewright-miniloop-files.service
systemctl restart sitewright-miniloop-files.service
address=$(microk8s kubectl get nodes \
    -o 'jsonpath={.items[0].status.addresses[?(@.type=="InternalIP")].address}')
microk8s kubectl create namespace "$NAMESPACE" 2>/dev/null || true
microk8s kubectl apply -n "$NAMESPACE" -f - <<END
apiVersion: v1
kind: Service
metadata: {name: miniloop-files}
spec:
  ports: [{port: 8091}]
---
apiVersion: v1
kind: Endpoints
metadata: {name: miniloop-files}
subsets:
  - addresses: [{ip: "${address%% *}"}]
    ports: [{port: 8091}]
END

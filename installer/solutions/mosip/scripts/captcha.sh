# The keys of Google's reCAPTCHA; empty where the site has none.
encoded() { printf %s "$1" | base64 | tr -d '\n'; }
kubectl --kubeconfig {{ kubeconfig }} apply --server-side --force-conflicts \
    --field-manager=sitewright --filename - <<END
apiVersion: v1
kind: Secret
metadata: {name: mosip-captcha, namespace: captcha}
data:
  prereg-captcha-site-key: "$(encoded {{ captcha_prereg_key }})"
  prereg-captcha-secret-key: "$(encoded "${captcha_prereg_secret:-}")"
  admin-captcha-site-key: "$(encoded {{ captcha_admin_key }})"
  admin-captcha-secret-key: "$(encoded "${captcha_admin_secret:-}")"
  resident-captcha-site-key: "$(encoded {{ captcha_resident_key }})"
  resident-captcha-secret-key: "$(encoded "${captcha_resident_secret:-}")"
END

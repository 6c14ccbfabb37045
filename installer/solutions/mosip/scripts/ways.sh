# What a kubeconfig names is read before kubectl reads it.
{% include 'common/kubeconfig/judge.sh' %}
judged_kubeconfig {{ kubeconfig }} {{ kubeconfig_sha256 }}
judged_kubeconfig {{ observation_kubeconfig }} {{ observation_sha256 }}
echo "The kubeconfigs name no program and no file to be sent, or somebody read them."

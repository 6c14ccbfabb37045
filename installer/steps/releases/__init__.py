"""What the steps of kind `helm-look` are made of."""

"""What no read tells of a cluster, tried with pods of ours in a namespace of ours."""

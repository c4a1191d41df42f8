"""Parts: folds over the log, the manifests that list what they made, snapshots, and the views that readers have."""

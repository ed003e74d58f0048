"Tables of images: manifests, boxes, groups, splits, augmentation, loaders."

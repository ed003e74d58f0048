"Formats of annotation files: COCO, YOLO, Pascal VOC; one pattern for all."

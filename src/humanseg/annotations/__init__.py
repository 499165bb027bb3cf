"""Label formats that other tools read and write: COCO, YOLO, LabelMe, VOC and more."""

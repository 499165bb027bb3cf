"""The model `clean` of humanseg: the folder `model` is its model directory, with its card.

coco-credits.csv names the photographs of COCO that it was trained on, each with its licence.
"""

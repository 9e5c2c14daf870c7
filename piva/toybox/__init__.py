"""The embedded world: scenes, pictures, captions, data sets and the models trained on them."""

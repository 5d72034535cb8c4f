"""Low-rank adapters on the embedded model's weights: what training the reader and the voter share.

Example: ``train(model, batches, Recipe(steps=200), print)``.
"""

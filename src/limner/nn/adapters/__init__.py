"""Adapters: settings whose `attach(model)` changes a TwoTowers in place so that few of its parameters are trained.

                   trains                                       starts at the model
    Lora           low-rank updates of linear layers            yes; `merge` leaves no trace of it
    Prompts        vectors that each block also attends to      nearly
    LayerNorms     gains of the norms, and all biases           yes
    SideNetwork    a network beside a frozen trunk              yes; no gradient through the trunk
    LinearProbe    the pooling and the projections              yes
    Projectors     projectors on top of frozen towers           nearly
    LongerTexts    everything but the first positions           yes, for short texts; room for longer ones

Afterwards only these parameters ask for a gradient, what is frozen behaves as it does in
evaluation (no dropout, norms of batches stand still), and the model is used, stored and exported as before.
Load weights before attaching: it may rename them.
"""

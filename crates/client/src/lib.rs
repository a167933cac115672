//! One endpoint of a model: asked in its own dialect, within a budget, with every failure told apart.

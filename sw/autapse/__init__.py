"""Autapse: a trained recurrent neural network in, a proven circuit out."""

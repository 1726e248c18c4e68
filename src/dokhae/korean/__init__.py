"""Korean: particles, morphemes, analysers; what encoding, decoding and the error report know about the language."""

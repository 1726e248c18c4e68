"""dokhae convert: a group of verbs, one a file."""

TITLE = "dokhae convert: checkpoints from before transformers as Hugging Face folders"
VERBS = {
    "tf": "a TensorFlow checkpoint of BERT, ALBERT or ELECTRA",
    "pytorch": "an old pytorch_model.bin",
    "verify": "compare what a checkpoint and its folder compute, layer by layer",
}
NOTE = "--config is the model's bert_config.json here"
EXAMPLE = (
    "dokhae convert tf multi_cased_L-12_H-768_A-12/bert_model.ckpt \\\n"
    "           --config multi_cased_L-12_H-768_A-12/bert_config.json \\\n"
    "           --vocab multi_cased_L-12_H-768_A-12/vocab.txt --out encoders/multilingual"
)

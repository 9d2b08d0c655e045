"""A checkpoint of a training becomes a Hugging Face directory, which is loaded and asked once. `dr rl export`.

model/     weights, tokenizer, chat template; dr_prompts.json, where it is known what the model was trained with

recipe     what is exported
find       which checkpoint is meant, of which kind, with what facts of its training
run        checkpoint -> directory, loaded and asked
"""

"""An index (artifact of `index`), a model, or both answer over HTTP until stopped; no artifact is made. `dr serve`.

`protocol` and `vectors` say what is asked and answered, `engine` lets one thread work for many requests together
(`searching`, `embedding`), `desk` and `model_desk` hold the recipe's limits, `rewriting` has a language model put
queries into better words, `journal` writes a line for each request, `service` opens what is served, `app` puts it
behind HTTP.
"""

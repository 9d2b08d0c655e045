"""An index (artifact of `index`) answers over HTTP until it is stopped; no artifact is made. `dr serve`.

`protocol` says what is asked and answered, `engine` searches many requests together, `journal` writes a line for each,
`app` puts them behind HTTP.
"""

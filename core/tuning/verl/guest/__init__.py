"""Code that runs in verl's interpreter, which has none of our packages.

It imports the standard library, torch, transformers, ray and verl, and of ours only what is standard library itself.
verl's own extension points load it: `VERL_USE_EXTERNAL_MODULES` (plugin), `custom_reward_function` (reward) and
`custom_sampler` (sampler). The tool stands with its stage, in `core.rl.tool.verl`.
"""

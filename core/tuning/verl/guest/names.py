"""What whoever starts verl and what runs in it agree on. Standard library only."""

RELEASE = "0.9.1"
"""The only release of verl that its platform without a GPU was tried with."""

PLUGIN = "core.tuning.verl.guest.plugin"
"""The module that makes a processor one of verl's platforms."""

ROLLOUT = "transformers"
"""`actor_rollout_ref.rollout.name` of the answers that transformers writes."""

CPU = {
    "VERL_USE_EXTERNAL_MODULES": PLUGIN,
    "VERL_PLATFORM": "cpu",
    "VERL_ENGINE_DEVICE": "cuda",  # verl's FSDP engine is filed under the GPU's name; ours is asked for the device
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
}
"""Environment of a run without a GPU. It also needs logical GPUs: `+ray_kwargs.ray_init.num_gpus=N`."""

SAMPLER = ("pkg://core.tuning.verl.guest.sampler", "Strict")
"""`trainer.v1.sampler.custom_sampler.path` and `.name`: no step is trained where an answer or its reward failed."""

LENGTH, POLL = "max_response_length", "poll_seconds"
"""What the sampler is told: the tokens that an answer may have; how often it looks for answers, where not as verl."""

TRUNCATED = "dr/truncated"
"""The sampler's word in verl's row of a step: the share of answers that are as long as they may be. verl's own
`response_length/clip_ratio` holds them against the longest of the batch."""

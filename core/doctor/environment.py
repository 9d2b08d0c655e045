"""Environment variables that change what `dr` reaches. Secrets are told by name only."""

import os
import re
from collections.abc import Mapping

from core.doctor.finding import Finding

PLAIN = (
    "HF_ENDPOINT",
    "HF_HOME",
    "HF_HUB_OFFLINE",
    "HF_DATASETS_OFFLINE",
    "TRANSFORMERS_OFFLINE",
    "MODELSCOPE_CACHE",
    "CUDA_VISIBLE_DEVICES",
)
OFFLINE = ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE", "TRANSFORMERS_OFFLINE")
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")
SECRETS = ("OPENAI_API_KEY", "QWEN_API_KEY", "SWANLAB_API_KEY", "WANDB_API_KEY", "HF_TOKEN")


def findings(variables: Mapping[str, str] = os.environ) -> list[Finding]:
    """Mirrors, offline switches, proxies and keys."""
    return [_mirrors(variables), _offline(variables), _proxies(variables), _keys(variables)]


def _mirrors(variables: Mapping[str, str]) -> Finding:
    told = [f"{name}={_without_login(variables[name])}" for name in PLAIN if name in variables and name not in OFFLINE]
    return Finding("mirrors and caches", "ok", ", ".join(told) or "none set: models come from huggingface.co")


def _offline(variables: Mapping[str, str]) -> Finding:
    told = [f"{name}={variables[name]}" for name in OFFLINE if name in variables]
    if not told:
        return Finding("offline switches", "ok", "none set")
    on = [name for name in OFFLINE if variables.get(name, "").upper() in {"1", "ON", "YES", "TRUE"}]
    if not on:
        return Finding("offline switches", "ok", ", ".join(told))
    costs = "only models and data that are here already can be used"
    return Finding("offline switches", "warning", ", ".join(told), costs, f"unset {' '.join(on)}")


def _proxies(variables: Mapping[str, str]) -> Finding:
    present = [name for name in PROXIES if variables.get(name) or variables.get(name.lower())]
    if not present:
        return Finding("proxies", "ok", "none set")
    seen = f"set: {', '.join(present)}"
    spared = re.split(r"[,\s]+", variables.get("no_proxy") or variables.get("NO_PROXY") or "")
    if present == ["NO_PROXY"] or {"*", "127.0.0.1"} & set(spared):
        return Finding("proxies", "ok", seen)
    costs = "services on this machine (`dr serve`, vLLM) are asked for through the proxy, which does not know them"
    return Finding("proxies", "warning", seen, costs, "export NO_PROXY=localhost,127.0.0.1")


def _keys(variables: Mapping[str, str]) -> Finding:
    present = [name for name in SECRETS if variables.get(name)]
    if present:
        return Finding("keys", "ok", f"set: {', '.join(present)}")
    costs = "no paid models, no cloud trackers, no gated downloads"
    return Finding("keys", "missing", "none set", costs, f"export {SECRETS[0]}=…  # or {', '.join(SECRETS[1:])}")


def _without_login(value: str) -> str:
    """An address without a user and password in it."""
    return re.sub(r"(?<=//)[^/@]*@", "", value)

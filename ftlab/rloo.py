"""Reinforce, leave one out: policy optimisation without a critic, by trl. ftlab/ppo.py is checked against it.

Several completions of one prompt are scored together; 'expected' is the mean reward of the others. A completion counts
as one act, and pays for its whole log-ratio to the reference at once. Ahmadian et al. 2024 (Back to Basics), section 3.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from transformers import TrainerCallback

from ftlab.errors import CourseError
from ftlab.policies import Policy
from ftlab.ppo import Settings, Watch
from ftlab.preferences import Reward
from ftlab.rewards import checked

if TYPE_CHECKING:
    from transformers import Trainer

NAMES = {"reward": "reward", "kl": "kl_a_token", "clip_ratio/region_mean": "clip_share"}  # in trl's log and in ours


def train(
    policy: Policy,
    prompts: Sequence[str],
    reward: Reward,
    settings: Settings,
    watch: Watch = lambda _: None,
    *,
    siblings: int = 4,
) -> list[dict[str, float]]:
    """As ppo.train, with `siblings` completions of each prompt in a batch. Critic, trace and discount are not used.

    Raises CourseError, too, where a batch is no whole number of such groups, or there are fewer prompts than that.
    """
    _require_groups(len(prompts), settings, siblings)
    with tempfile.TemporaryDirectory() as folder:
        if policy.start is not None and settings.beta > 0:
            # trl loads the reference from where the policy says it came from; made on the spot, it came from nowhere.
            policy.start.save_pretrained(folder)
            policy.model.config._name_or_path = folder
        trainer = _trainer(policy, prompts, reward, settings, siblings)
        steps = settings.passes * settings.parts
        trainer.add_callback(_Watching(watch, steps))
        trainer.train()
    policy.model.eval()
    rows = [row for row in trainer.state.log_history if "reward" in row]
    return [
        {"step": row["step"] / steps, **{ours: row[theirs] for theirs, ours in NAMES.items() if theirs in row}}
        for row in rows
    ]


def _require_groups(prompts: int, settings: Settings, siblings: int) -> None:
    """trl leaves out what does not fill a batch, without a word; with few prompts that is everything."""
    groups, rest = divmod(settings.batch_size, siblings)
    if rest or settings.batch_size % settings.parts:
        raise CourseError(
            f"{settings.batch_size} completions a batch do not come out even: {siblings} of each prompt, in "
            f"{settings.parts} part(s). Choose a multiple of both: --set batch_size={siblings * settings.parts * 8}."
        )
    if prompts < groups:
        raise CourseError(
            f"{groups} prompts are needed for a batch, and there are {prompts}. Give more, or take smaller batches: "
            f"--set batch_size={siblings * prompts}."
        )


def _trainer(policy: Policy, prompts: Sequence[str], reward: Reward, settings: Settings, siblings: int) -> Trainer:
    from datasets import Dataset
    from transformers import PrinterCallback
    from trl.trainer.rloo_config import RLOOConfig
    from trl.trainer.rloo_trainer import RLOOTrainer

    ask = checked(reward)

    def scored(prompts: list[str], completions: list[str], **_: Any) -> list[float]:
        return list(ask(prompts, completions))

    arguments = RLOOConfig(
        output_dir=tempfile.gettempdir(),  # nothing is saved there
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
        logging_steps=settings.passes * settings.parts,
        max_steps=settings.batches * settings.passes * settings.parts,
        per_device_train_batch_size=settings.batch_size // settings.parts,
        steps_per_generation=settings.parts,
        num_generations=siblings,
        num_iterations=settings.passes,
        max_completion_length=settings.tokens,
        beta=settings.beta,
        epsilon=settings.clip,
        learning_rate=settings.learning_rate,
        lr_scheduler_type="constant",
        max_grad_norm=settings.norm,
        weight_decay=0.0,
        optim="adamw_torch_fused",
        activation_checkpointing=False,
        bf16=str(policy.model.dtype) == "torch.bfloat16",
        use_cpu=policy.model.device.type == "cpu",
        dataloader_pin_memory=policy.model.device.type == "cuda",
        seed=settings.seed,
    )
    arguments._n_gpu = min(arguments.n_gpu, 1)
    trainer: Trainer = RLOOTrainer(
        model=policy.model,
        reward_funcs=scored,
        args=arguments,
        train_dataset=Dataset.from_dict({"prompt": list(prompts)}),
        processing_class=policy.tokenizer,
    )
    trainer.remove_callback(PrinterCallback)
    return trainer


class _Watching(TrainerCallback):
    """Calls `watch` after each batch of `steps` updates, with the model as it is when it is used."""

    def __init__(self, watch: Watch, steps: int) -> None:
        self._watch, self._steps = watch, steps

    def on_step_end(self, args: Any, state: Any, control: Any, model: Any, **_: Any) -> None:
        """Count the batch."""
        if state.global_step % self._steps == 0:
            model.eval()
            self._watch(state.global_step // self._steps)
            model.train()


CODE = (train, _trainer, _Watching.__init__, _Watching.on_step_end)  # to be counted with two_ways.lines

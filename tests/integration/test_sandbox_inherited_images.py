"""An environment that is too old goes; an image that somebody built on it stays."""

import time
from uuid import uuid4

import pytest

from repowright_tools.sandbox.client import Client
from repowright_tools.sandbox.docker import DockerSandbox
from repowright_tools.sandbox.labels import environment_tag, image_labels
from repowright_tools.sandbox.policy import SandboxPolicy

pytestmark = pytest.mark.anyio


async def test_the_reaper_leaves_an_image_that_inherited_our_labels(
    sandbox: DockerSandbox, docker_client: Client, sandbox_policy: SandboxPolicy
) -> None:
    key = uuid4().hex
    old, kept = environment_tag(key), f"built-on-it:{key}"
    labels = [f'LABEL {name}="{value}"' for name, value in image_labels(key, time.time() - 10).items()]
    name = f"maker-{key}"
    docker_client.create_container(image=sandbox_policy.image, command=["true"], name=name)
    try:
        for tag in (old, kept):
            docker_client.commit(name, repository=tag.partition(":")[0], tag=key, changes=labels)
        await sandbox.reap()
        left = docker_client.images(filters={"label": [f"environment={key}"]})
        assert [image["RepoTags"] for image in left] == [[kept]]
    finally:
        docker_client.remove_container(name, force=True)
        docker_client.remove_image(kept, force=True)

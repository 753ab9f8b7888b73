"""The examples of the documents that no test runs as they stand there, and why.

Each is named by its page and its first line, without the comment at its end. That the commands in them exist, and that
what they hold is valid, is checked all the same.
"""

_INSTALLED = "installs what is there already where tests run"
_DEVELOPING = "the tasks of the Makefile, which run the tests themselves"
_FOREIGN = "needs a builder elsewhere"
_OTHERS = "needs "
_WORDS = "cut down to what the text is about; these words are compared by "

NOT_RUN = {
    "README.md: make demo": "tests/sandbox/test_demo.py runs both",
    "README.md: pipx install devloop-k8s": _INSTALLED,
    "README.md: $ devloop why deployment/api -n shop": f"{_WORDS}tests/e2e/test_why.py",
    "docs/contributing.md: export DEVLOOP_E2E_CONTEXT=kind-kind DEVLOOP_E2E_REGISTRY=localhost:5001": _DEVELOPING,
    "docs/doctor.md: $ devloop doctor": f"{_WORDS}tests/e2e/test_doctor.py",
    "docs/howto/builders.md: docker buildx create --name team --driver docker-container "
    "ssh://build@builder.example.com": _FOREIGN,
    "docs/howto/builders.md: docker buildx create --name team --driver remote \\": _FOREIGN,
    "docs/howto/builders.md: docker buildx create --name in-cluster --driver kubernetes --driver-opt "
    "namespace=buildkit,replicas=1": _FOREIGN,
    "docs/howto/ci.md: devloop up --once && pytest e2e": "there is no such suite; the tutorial waits",
    "docs/howto/from-skaffold-or-tilt.md: skaffold run": f"{_OTHERS}skaffold",
    "docs/howto/helm-and-gitops.md: helm upgrade --install shop ./chart -n shop": f"{_OTHERS}helm",
    "docs/howto/helm-and-gitops.md: devloop restore deployment/web -n shop": f"{_OTHERS}helm",
    "docs/howto/helm-and-gitops.md: helm upgrade shop ./chart -n shop --reuse-values --set image.tag=dev-jo --set "
    "image.pullPolicy=Always": f"{_OTHERS}helm",
    "docs/howto/helm-and-gitops.md: argocd app set shop --sync-policy none": f"{_OTHERS}argocd",
    "docs/howto/helm-and-gitops.md: flux suspend kustomization shop": f"{_OTHERS}flux",
    "docs/howto/monorepo.md: devloop up web": "tests/e2e/test_services.py runs such services",
    "docs/howto/remote-cluster.md: docker login registry.example.com": "needs a remote registry",
    "docs/howto/restoring.md: kubectl get deployment hello -o jsonpath='{.metadata.annotations.devloop/original}'": (
        "by then it is restored; tests/core/test_restore.py reads such records"
    ),
    "docs/init.md: $ devloop init": f"{_WORDS}tests/e2e/test_init.py",
    "docs/init.md: devloop init": "asks on a terminal: tests/cli/test_init_terminal.py",
    "docs/reliability-soak.md: make soak": _DEVELOPING,
    "docs/reliability.md: export DEVLOOP_E2E_CONTEXT=kind-kind DEVLOOP_E2E_REGISTRY=localhost:5001 "
    "DEVLOOP_E2E_CONTROL=/path/to/control": _DEVELOPING,
    "docs/tutorial.md: KIND_CLUSTER_NAME=dev sh kind-with-registry.sh": "makes what a walk has: a cluster, a namespace",
    "docs/tutorial.md: pipx install devloop-k8s": _INSTALLED,
    "docs/two-people.md: $ devloop up web": f"{_WORDS}tests/e2e/test_two_people.py",
    "docs/two-people.md: $ kubectl get lease devloop-web -n shop": "kubectl's own words; the Lease is read by "
    "tests/e2e/test_two_people.py",
    "docs/why.md: devloop why deployment/api -n team-x": "tests/e2e/test_why.py runs it for every cause",
    "docs/why.md: $ devloop why deployment/api -n shop": f"{_WORDS}tests/e2e/test_why.py",
    "docs/why.md: $ devloop why --slow deployment/api -n shop": f"{_WORDS}tests/e2e/test_why_slow.py",
}

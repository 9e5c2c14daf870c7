# Everything runs from a virtual environment in $(VENV), which the first target that needs it makes.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
BENCH = runs/first-light
CASES ?= 20
STEPS ?= 100

.DEFAULT_GOAL := help
.PHONY: help setup bench tables tuning comparison estimators frontier scene-tuning scenes speed harness conditioning-cost test check

help: ## say what there is
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 16

setup: $(VENV)/ready ## make the virtual environment and install piva into it

$(VENV)/ready: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet -e '.[dev]'
	@touch $@

bench: setup ## edit $(CASES) cases of PIE-Toybox with DDS and Piva, print the table and the page's path
	$(BIN)/piva run pie-toybox --method copy --limit $(CASES) --out $(BENCH)
	$(BIN)/piva run pie-toybox --method no-edit --limit $(CASES) --out $(BENCH)
	$(BIN)/piva run pie-toybox --method dds --steps $(STEPS) --limit $(CASES) --out $(BENCH)
	$(BIN)/piva run pie-toybox --method piva --steps $(STEPS) --limit $(CASES) --out $(BENCH)
	$(BIN)/piva report --runs $(BENCH)

tables: setup ## README's results, from the records in reports/records: seconds
	$(BIN)/python -m reports.readme

EDIT = $(BIN)/piva run pie-toybox --tracker none --row-cache-gb 2
DEV = --split dev --limit 20 --out runs/tuning
TEST = --split test --limit 40 --steps 100 --out runs/comparison
FAST = --method.aux.lr 1e-3
TABLE = clip_text lpips psnr_background saturation_shift saturation_shift_to_true clipped_fraction_to_true \
  psnr_to_true lpips_to_true edit_success

tuning: setup ## choose settings on the dev split (half an hour on two cores): reports/tuning.md
	for g in 2 3 5 7.5; do for s in 50 100 200; do \
	  $(EDIT) --method dds --method.guidance $$g --steps $$s $(DEV) || exit 1; done; done
	$(EDIT) --method piva --steps 100 $(DEV)
	for g in 3 7.5; do for l in 0.4 1 2; do \
	  $(EDIT) --method piva --method.guidance $$g --method.lam $$l $(FAST) --steps 100 $(DEV) || exit 1; done; done
	$(BIN)/piva report --runs runs/tuning --metrics $(TABLE) --into reports/tuning.md \
	  --baseline "dds guidance=7.5 steps=100" "dds guidance=3.0 steps=100"

comparison: setup ## DDS and Piva, four test cases of each edit type (half an hour): reports/comparison.md
	for m in copy no-edit; do $(EDIT) --method $$m $(TEST) || exit 1; done
	for g in 3 7.5; do $(EDIT) --method dds --method.guidance $$g $(TEST) || exit 1; \
	  for l in 0.4 1 2; do \
	    $(EDIT) --method piva --method.guidance $$g --method.lam $$l $(FAST) $(TEST) || exit 1; done; done
	$(BIN)/piva report --runs runs/comparison --metrics $(TABLE) --into reports/comparison.md \
	  --baseline "dds guidance=7.5" "dds guidance=3.0" --picture reports/comparison.png --picture-cases 10

ESTIMATORS = $(EDIT) --method piva --method.lam 1 $(FAST) --split dev --limit 20 --batch-size 20 --steps 100 \
  --out runs/estimators

estimators: setup ## what stored psi, fused phi and bfloat16 do to edits (ten minutes): reports/estimators.md
	$(ESTIMATORS)
	$(ESTIMATORS) --method.aux.psi stored
	$(ESTIMATORS) --method.aux.psi stored --method.aux.psi-steps 100
	$(ESTIMATORS) --method.aux.phi fresh
	$(ESTIMATORS) --method.aux.psi stored --method.aux.phi fresh
	$(ESTIMATORS) --method.source-branch current
	$(ESTIMATORS) --prior.dtype bfloat16
	$(BIN)/piva report --runs runs/estimators --metrics $(TABLE) --into reports/estimators.md \
	  --baseline "piva source_branch=source psi_steps=200 psi=alongside phi=fused dtype=auto"

GRID = --split test --limit 100 --batch-size 20 --out runs/frontier
DDS_GRID = "2 50" "2 100" "2 200" "3 50" "3 100" "3 200" "5 100" "7.5 100"
PIVA_GRID = "2 0.2" "3 0.2" "3 0.4" "3 1" "5 0.4" "5 1" "7.5 1" "7.5 2"

frontier: setup ## DDS and Piva, eight settings each, ten test cases of each type (an hour): reports/frontier.md
	for m in copy no-edit; do $(EDIT) --method $$m $(GRID) || exit 1; done
	for s in $(DDS_GRID); do set -- $$s; \
	  $(EDIT) --method dds --method.guidance $$1 --steps $$2 $(GRID) || exit 1; done
	for s in $(PIVA_GRID); do set -- $$s; \
	  $(EDIT) --method piva --method.guidance $$1 --method.lam $$2 $(FAST) --method.aux.psi stored --steps 100 \
	    $(GRID) || exit 1; done
	$(BIN)/piva frontier --runs runs/frontier --over lpips psnr_to_true lpips_to_true saturation_shift --rows 600 \
	  --figure reports/frontier.png --into reports/frontier.md
	$(BIN)/piva report --runs runs/frontier --metrics $(TABLE) --into reports/frontier-runs.md \
	  --baseline "dds guidance=2.0 steps=200"

SCENES = --split test --steps 200 --tracker none --out runs/scenes
NOE = $(BIN)/piva run noe-toybox $(SCENES) --case purple-cube-appearance white-cylinder-appearance green-cone-addition \
  snowman-on-sand-addition orange-sphere-translation white-cylinder-translation
IN2N = $(BIN)/piva run in2n-toybox $(SCENES) --case yellow-cube-appearance white-cone-appearance \
  orange-cylinder-addition snowman-on-sand-addition white-cone-translation green-sphere-translation
SCENE_TABLE = clip_text clip_direction consistency_direction_pair consistency_edit_direction janus_count lpips psnr \
  lpips_growth psnr_to_true lpips_to_true edit_success peak_bytes
PIVA = --method piva --method.guidance 3 --method.lam 0.4 --method.aux.lr 1e-3
CONTROL = $(PIVA) --method.aux.kind controlnet --method.aux.controlnet toybox

scene-tuning: setup ## choose 3D settings on two dev scenes (a quarter of an hour): reports/scene-tuning.md
	for m in "--method sds --method.guidance 3" "--method sds --method.guidance 7.5" \
	  "--method sds --method.guidance 15" "--method dds --method.guidance 3" "--method dds --method.guidance 7.5" \
	  "$(PIVA)" "$(PIVA) --method.lam 1" "$(CONTROL)" "$(CONTROL) --method.lam 1" "$(CONTROL) --method.aux.lr 1e-4"; do \
	  $(BIN)/piva run noe-toybox --split dev --steps 200 --tracker none --out runs/scene-tuning \
	    --case snowman-on-grass-addition red-cube-translation $$m || exit 1; done
	$(BIN)/piva report --runs runs/scene-tuning --metrics $(SCENE_TABLE) --into reports/scene-tuning.md

scenes: setup ## six edits each of Noe-Toybox and IN2N-Toybox in 3D, six ways (two hours)
	for m in "--method dds --method.guidance 3" "--method sds --method.guidance 3" "$(PIVA)" \
	  "$(PIVA) --method.aux.camera True" "$(CONTROL)" "$(CONTROL) --method.aux.depth blank"; do \
	  $(NOE) $$m || exit 1; $(IN2N) $$m || exit 1; done
	$(BIN)/piva report --runs runs/scenes --metrics $(SCENE_TABLE) --into reports/scenes.md \
	  --baseline dds "piva kind=lora depth=given camera=False" --picture reports/scenes.png --picture-cases 6

speed: setup ## how fast edits are, on an idle machine (40 minutes): reports/{speed,means,scene_speed}.md
	$(BIN)/python -m benchmarks.speed --cases 2 --steps 30 --batch-sizes 1 4 16 --threads 2 --markdown reports/speed.md
	$(BIN)/python -m benchmarks.means --steps 15 --threads 2 --markdown reports/means.md
	$(BIN)/python -m benchmarks.scene_speed --threads 2 --markdown reports/scene_speed.md

harness: setup ## what the harness costs: a case, tables of 100,000, workers, on an idle machine: reports/harness.md
	$(BIN)/python -m benchmarks.harness_overhead --markdown reports/harness.md

conditioning-cost: setup ## what kinds of auxiliaries cost, by size of the model, on an idle machine (two hours)
	$(BIN)/python -m benchmarks.conditioning_cost --threads 2 --seconds 9000 --json runs/conditioning-cost.json \
	  --markdown reports/conditioning-cost.md --figure reports/conditioning-cost.png reports/conditioning-cost.svg

test: setup ## run the tests: CPU, offline, minutes
	$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile

check: setup ## lint and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

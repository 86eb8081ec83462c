"""What the stock client of MLflow's registry finds: each line that begins with `held` is one thing that is as it should be."""

import os
import sys

URL, KEY, READING = sys.argv[1:4]
os.environ["MLFLOW_TRACKING_TOKEN"] = KEY
os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] = "0"
os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"

from mlflow import MlflowClient
from mlflow.exceptions import MlflowException


def held(what, condition=True):
    assert condition, what
    print("held", what)


def refused(what, code, told, ask):
    try:
        ask()
        held(what, False)
    except MlflowException as error:
        held(what, (error.error_code == code and told in error.message) or print(error.error_code, error.message))


def reads(client):
    models = client.search_registered_models()
    held("all models", [model.name for model in models] == ["iris", "sentiment"] and not models.token)
    held("when they came", 1_700_000_000_000 < models[0].creation_timestamp <= models[0].last_updated_timestamp)
    held("a filter", [model.name for model in client.search_registered_models("name LIKE 'sent%'")] == ["sentiment"])
    down = client.search_registered_models(order_by=["name DESC"], max_results=1)
    held("the first page, the last name first", [model.name for model in down] == ["sentiment"] and bool(down.token))
    rest = client.search_registered_models(order_by=["name DESC"], max_results=1, page_token=down.token)
    held("the page after it", [model.name for model in rest] == ["iris"] and not rest.token)

    model = client.get_registered_model("sentiment")
    held("one model", model.name == "sentiment" and model.aliases == {} and len(model.latest_versions) == 1)
    version = client.get_model_version("sentiment", "1")
    held("one version", (version.version, version.status, version.current_stage) == ("1", "READY", "Production"))
    held("its file", len(version.tags["sha256"]) == 64 and version.tags["format"] == "onnx" and bool(version.source))
    held("where it came from", client.get_model_version_download_uri("sentiment", "1") == version.source)
    found = client.search_model_versions("name = 'sentiment' AND version_number >= 1")
    held("versions of a model", [(one.name, one.version) for one in found] == [("sentiment", "1")])
    held("all versions", len(client.search_model_versions()) == 2)
    digest = version.tags["sha256"]
    held("a version by its digest", client.search_model_versions(f"tags.sha256 = '{digest}'")[0].name == "sentiment")
    held("versions of runs", client.search_model_versions("run_id = 'abc'") == [])


def names(client):
    client.set_registered_model_alias("sentiment", "champion", "1")
    held("an alias that was set", client.get_registered_model("sentiment").aliases == {"champion": "1"})
    held("what it names", client.get_model_version_by_alias("sentiment", "champion").version == "1")
    held("the names of a version", client.get_model_version("sentiment", "1").aliases == ["champion"])
    client.delete_registered_model_alias("sentiment", "champion")
    held("an alias that is gone", client.get_registered_model("sentiment").aliases == {})
    unknown = lambda: client.get_model_version_by_alias("sentiment", "champion")
    refused("what it named", "INVALID_PARAMETER_VALUE", "has no alias 'champion'", unknown)
    held("a version that is not promoted", client.get_model_version("iris", "1").current_stage == "None")
    promoted = client.transition_model_version_stage("iris", "1", "Production")
    held("a version that is promoted", promoted.current_stage == "Production")
    latest = client.get_latest_versions("iris", stages=["Production"])
    held("the newest version of a stage", [version.version for version in latest] == ["1"])


def refuses(client):
    missing, invalid, undone = "RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE", "NOT_IMPLEMENTED"
    refused("an unknown model", missing, "no model 'nobody'", lambda: client.get_registered_model("nobody"))
    refused("an unknown version", missing, "no version 7", lambda: client.get_model_version("sentiment", "7"))
    alias = lambda version, name="champion": client.set_registered_model_alias("sentiment", name, version)
    refused("an alias of an unknown version", missing, "no version 7", lambda: alias("7"))
    refused("a filter that cannot be read", invalid, "quotation marks", lambda: client.search_model_versions("name = x"))
    told = "'order_by' cannot be 'mood'"
    refused("an order that is none", invalid, told, lambda: client.search_registered_models(order_by=["mood"]))
    refused("a new model", undone, "timeloom model register", lambda: client.create_registered_model("another"))
    refused("a new version", undone, "timeloom model add", lambda: client.create_model_version("iris", "file:///x"))
    refused("another name", undone, "names stay", lambda: client.rename_registered_model("iris", "other"))
    refused("a model to be deleted", undone, "timeloom model retire", lambda: client.delete_registered_model("iris"))
    told = "timeloom model withdraw"
    refused("a version to be deleted", undone, told, lambda: client.delete_model_version("iris", "1"))
    refused("a tag", undone, "tags of your own", lambda: client.set_registered_model_tag("iris", "a", "b"))
    stage = lambda: client.transition_model_version_stage("iris", "1", "Staging")
    refused("another stage", undone, "Production alone", stage)
    refused("an experiment", undone, "runs, artifacts and prompts are not", lambda: client.get_experiment("0"))
    os.environ["MLFLOW_TRACKING_TOKEN"] = READING
    refused("a change without the permission", "PERMISSION_DENIED", "registry:write", lambda: alias("1"))
    held("a look with the permission", client.get_registered_model("iris").name == "iris")
    os.environ["MLFLOW_TRACKING_TOKEN"] = "timeloom_key_wrong"
    refused("a wrong key", "UNAUTHENTICATED", "", lambda: client.get_registered_model("iris"))


def main():
    client = MlflowClient(tracking_uri=URL, registry_uri=URL)
    reads(client)
    names(client)
    refuses(client)


main()

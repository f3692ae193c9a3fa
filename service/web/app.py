"""Assembles the web application."""

from __future__ import annotations

from flask import Flask

from service.web import (
    archives,
    auth,
    batch,
    classify,
    diagnose,
    dictionary,
    errors,
    feedback,
    operations,
    page,
    results,
    tickets,
    tracing,
)
from service.web.description import describe
from service.web.json import OrjsonProvider
from service.wiring import Services


def create_app(services: Services) -> Flask:
    """The web application around what was wired."""
    settings = services.settings
    app = Flask("service.web", static_folder=None, template_folder="page")
    app.json = OrjsonProvider(app)
    app.url_map.strict_slashes = False
    app.config["MAX_CONTENT_LENGTH"] = settings.max_body_bytes
    app.config["MAX_FORM_MEMORY_SIZE"] = settings.max_body_bytes
    app.extensions["ndr"] = services
    tracing.register(app)
    auth.register(app, settings.api_keys)
    errors.register(app)
    api = describe(app, services)
    api.register_blueprint(classify.blueprint)
    api.register_blueprint(batch.blueprint)
    api.register_blueprint(diagnose.blueprint)
    api.register_blueprint(archives.blueprint)
    api.register_blueprint(results.blueprint)
    api.register_blueprint(tickets.blueprint)
    api.register_blueprint(feedback.blueprint)
    api.register_blueprint(dictionary.blueprint)
    api.register_blueprint(operations.blueprint)
    app.register_blueprint(page.blueprint_for(api.spec))
    return app

"""The page: the service for people, rendered on the server, which works without scripts, a mouse, or a wide screen."""

from automl_kd.service.pages import new_search, search_list, search_page, static_files, steering, trial_page
from automl_kd.service.pages.choices import warmed
from automl_kd.service.pages.file_forms import form_bytes

ROUTERS = (
    search_list.front_door,
    search_list.router,
    new_search.router,
    search_page.router,
    steering.router,
    trial_page.router,
    static_files.router,
    static_files.rest,
)

__all__ = ["ROUTERS", "form_bytes", "warmed"]

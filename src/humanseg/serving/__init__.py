"""API and page of `humanseg serve`: `create_app` for other servers, `run_server` for our own.

server_config    `ServeConfig`: where to listen, who may ask, how much
application      `create_app`: routes, guards and error documents put together
segment_route    POST /v1/segment and /v1/segment/batch
batch_answer     the zip of a batch, sent as it is made
service_routes   GET /v1/models, /healthz, /readyz, /metrics
request_body     what was sent: pictures and options, within limits, never on a disk
segment_options  from options to an effect and a format, and their description in OpenAPI
openapi_text     what the schema says of requests and refusals
service          one picture to one answer, with the code of `humanseg predict`
pool             threads, and how much work is taken on
problem_details  refusals as documents (RFC 9457)
security         what every request must pass and every answer carries
connections      time limits of connections
serve_metrics    what /metrics shows
run_server       listen, serve, stop
static_files     the page and its private mode: `static/`, sent with a strict policy, or as a folder

Start with `create_app`. Needs the extra `serve`.
"""

/** The MLflow that the local server runs and that everything with registry credentials uses. */
export const MLFLOW_VERSION = "3.17.2";

/** The uv that is installed when there is none on PATH. */
export const UV_VERSION = "0.13.9";

/** Python versions that the pins below were resolved for, best first. */
export const PYTHON_VERSIONS = ["3.11", "3.12", "3.13"] as const;

/**
 * The whole resolved environment, one requirement a line with its marker. Made by
 * `uv pip compile --universal --python-version 3.11` from `mlflow==<MLFLOW_VERSION>`, Windows-only lines left out.
 */
export const MLFLOW_PINS = `aiohappyeyeballs==2.7.1
aiohttp==3.14.5
aiosignal==1.4.0
alembic==1.20.1
annotated-doc==0.0.7
annotated-types==0.8.0
anyio==4.16.0
attrs==26.1.0
blinker==1.9.0
cachetools==7.3.3
certifi==2026.10.19.post1
cffi==2.1.1 ; platform_python_implementation != 'PyPy'
charset-normalizer==3.5.2
click==8.5.1
cloudpickle==3.1.3
contourpy==1.3.3 ; python_full_version < '3.12'
contourpy==1.4.0 ; python_full_version >= '3.12'
cryptography==50.0.2
cycler==0.12.1
databricks-sdk==0.162.0
docker==7.2.0
fastapi==0.165.0
flask==3.1.3
flask-cors==6.0.5
fonttools==4.68.0
frozenlist==1.8.0
gitdb==4.0.12
gitpython==3.2.1
google-auth==2.63.0
graphene==3.4.3
graphql-core==3.2.14
graphql-relay==3.2.0
gunicorn==26.2.0 ; sys_platform != 'win32'
h11==0.16.0
huey==3.5.4
idna==3.20
importlib-metadata==9.1.0
itsdangerous==2.2.0
jinja2==3.1.6
joblib==1.6.0
kiwisolver==1.5.1
mako==1.4.3
markupsafe==3.0.4
matplotlib==3.11.2
mlflow==3.17.2
mlflow-skinny==3.17.2
mlflow-tracing==3.17.2
multidict==7.2.1
narwhals==2.29.0
numpy==2.4.6 ; python_full_version < '3.12'
numpy==2.5.5 ; python_full_version >= '3.12'
opentelemetry-api==1.45.2
opentelemetry-proto==1.45.2
opentelemetry-sdk==1.45.2
opentelemetry-semantic-conventions==0.66b2
packaging==26.3
pandas==3.1.1
pillow==13.0.0
prettytable==3.18.0
propcache==0.5.4
protobuf==7.36.2
pyarrow==25.0.1
pyasn1==0.6.5
pyasn1-modules==0.4.2
pycparser==3.12 ; implementation_name != 'PyPy' and platform_python_implementation != 'PyPy'
pydantic==2.14.4
pydantic-core==2.50.5
pyparsing==3.3.3
python-dateutil==2.9.0.post0
python-dotenv==1.2.4
pyyaml==6.0.4
requests==2.34.2
scikit-learn==1.9.1
scipy==1.17.1 ; python_full_version < '3.12'
scipy==1.18.1 ; python_full_version >= '3.12'
six==1.17.0
skops==0.16.0
smmap==5.0.3
sqlalchemy==2.1.9
sqlparse==0.6.1
starlette==1.10.0
threadpoolctl==3.8.0
typing-extensions==4.16.0
typing-inspection==0.4.5
urllib3==2.8.0
uvicorn==0.54.0
wcwidth==0.9.4
werkzeug==3.1.9
yarl==1.25.1
zipp==4.1.2
`;

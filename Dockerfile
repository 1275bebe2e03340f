# The application, its workers and the command line in one image:
#   docker build -t neurotriage .
#   docker run -p 127.0.0.1:8501:8501 -v neurotriage:/storage neurotriage
FROM python:3.12-slim-bookworm AS packages

ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /build
# Before the sources, so that a change of them does not install everything again.
COPY requirements.txt requirements-server.txt ./
RUN python -m venv /venv && /venv/bin/pip install -r requirements-server.txt

FROM python:3.12-slim-bookworm

# A user without a password or a home that anything is kept in; the sources belong to root.
RUN useradd --system --uid 10001 --create-home neurotriage \
    && install --directory --owner neurotriage --group neurotriage /storage
COPY --from=packages /venv /venv
WORKDIR /app
# Readable for that user whatever the modes in the checkout are; folders need the x.
COPY --chmod=755 streamlit_app.py LICENSE NOTICE ./
COPY --chmod=755 .streamlit/config.toml .streamlit/config.toml
COPY --chmod=755 core core
COPY --chmod=755 pages pages
COPY --chmod=755 samples samples
COPY --chmod=755 weights weights
RUN /venv/bin/python -m compileall -q core pages streamlit_app.py

# Two heaps for all threads instead of eight a core: five visitors take a quarter of a gigabyte less.
ENV PATH=/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    MALLOC_ARENA_MAX=2 \
    NEUROTRIAGE_STORAGE=/storage
USER 10001
VOLUME /storage
EXPOSE 8501
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8501/_stcore/health', timeout=4)"]
CMD ["streamlit", "run", "streamlit_app.py", "--server.address=0.0.0.0", "--server.port=8501"]

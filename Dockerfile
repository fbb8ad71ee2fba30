FROM mcr.microsoft.com/dotnet/sdk:10.0 AS build
WORKDIR /source

# Packages change rarely, so they have their own layer.
COPY global.json Directory.Build.props Directory.Packages.props ChatBackend.csproj packages.lock.json ./
COPY Infrastructure/Http/OpenApi/ApiReference.targets Infrastructure/Http/OpenApi/
RUN dotnet restore ChatBackend.csproj --locked-mode
# The same packages for this platform, with its compiler. The lock file has no platforms.
RUN dotnet restore ChatBackend.csproj --use-current-runtime -p:PublishReadyToRun=true -p:NuGetLockFilePath=obj/platform.lock.json

COPY . .
# Compiled ahead of time: the service starts sooner, and needs less of the processor for its first requests.
# Without the analyzers: CI runs them, and an image need not wait for them or fail on a rule of style.
RUN dotnet publish ChatBackend.csproj --configuration Release --no-restore --use-current-runtime --no-self-contained --output /app \
    -p:PublishReadyToRun=true -p:NuGetLockFilePath=obj/platform.lock.json -p:UseAppHost=false -p:RunAnalyzers=false

FROM mcr.microsoft.com/dotnet/aspnet:10.0
WORKDIR /app
COPY --from=build /app .
# Ingested only with SAMPLE_BOOK=on.
COPY sample-book sample-book

# The service listens on PORT (default 8000). The base image's port setting would only cause a warning.
# The just-in-time compiler frees its memory after each method; by default it keeps up to 16 MB (docs/performance.md).
ENV ASPNETCORE_ENVIRONMENT=Production \
    ASPNETCORE_HTTP_PORTS= \
    DOTNET_JitHostMaxSlabCache=0
EXPOSE 8000
USER $APP_UID

# Liveness: /health does not depend on the database.
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --retries=3 CMD ["dotnet", "ChatBackend.dll", "health"]
ENTRYPOINT ["dotnet", "ChatBackend.dll"]

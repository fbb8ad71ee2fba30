FROM mcr.microsoft.com/dotnet/sdk:10.0 AS build
WORKDIR /source

# The packages change rarely: a layer of their own.
COPY global.json Directory.Build.props Directory.Packages.props ChatBackend.csproj packages.lock.json ./
RUN dotnet restore ChatBackend.csproj --locked-mode

COPY . .
RUN dotnet publish ChatBackend.csproj --configuration Release --no-restore --output /app -p:UseAppHost=false

FROM mcr.microsoft.com/dotnet/aspnet:10.0
WORKDIR /app
COPY --from=build /app .
# Ingested only where SAMPLE_BOOK=on.
COPY sample-book sample-book

# The service listens on PORT (8000 where it is not set); the base image's own port would only cause a warning.
ENV ASPNETCORE_ENVIRONMENT=Production \
    ASPNETCORE_HTTP_PORTS=
EXPOSE 8000
USER $APP_UID

# Liveness: /health answers also while the database is away.
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --retries=3 CMD ["dotnet", "ChatBackend.dll", "health"]
ENTRYPOINT ["dotnet", "ChatBackend.dll"]

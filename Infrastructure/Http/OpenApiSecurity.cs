using ChatBackend.Infrastructure.Auth;
using Microsoft.OpenApi;

namespace ChatBackend.Infrastructure.Http;

/// <summary>How the description tells which credentials a route takes.</summary>
internal static class OpenApiSecurity
{
    private const string Bearer = "bearer";
    private const string IngestKey = "ingestKey";

    /// <summary>The two kinds of credentials.</summary>
    public static Dictionary<string, IOpenApiSecurityScheme> Schemes() => new()
    {
        [Bearer] = new OpenApiSecurityScheme
        {
            Type = SecuritySchemeType.Http,
            Scheme = Bearer,
            BearerFormat = "JWT",
            Description = "A token of the site's sign-in.",
        },
        [IngestKey] = new OpenApiSecurityScheme
        {
            Type = SecuritySchemeType.ApiKey,
            In = ParameterLocation.Header,
            Name = IngestKeyHandler.Header,
            Description = "The operator's INGEST_API_KEY; `Authorization: Bearer` takes it, too.",
        },
    };

    /// <summary>Adds what a route's policy asks for, and its 401.</summary>
    public static void Add(OpenApiOperation operation, string? policy, OpenApiDocument? document)
    {
        switch (policy)
        {
            case AuthFeature.TokenAccepted:
                // An empty requirement beside the other makes it optional (OpenAPI 3.1, 4.8.10).
                operation.Security = [Requirement(Bearer), []];
                OpenApiProblems.Add(operation, 401, "The token is not valid. Without one, the reader is anonymous.");
                break;
            case AuthFeature.TokenRequired:
                operation.Security = [Requirement(Bearer)];
                OpenApiProblems.Add(operation, 401, "There is no token, or it is not valid.");
                break;
            case AuthFeature.IngestKeyRequired:
                operation.Security = [Requirement(IngestKey)];
                OpenApiProblems.Add(operation, 401, "There is no ingest key, or it is not the right one.");
                break;
        }

        OpenApiSecurityRequirement Requirement(string scheme) => new() { [new OpenApiSecuritySchemeReference(scheme, document)] = [] };
    }
}

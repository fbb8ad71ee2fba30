using System.Text.Json;
using System.Text.Json.Serialization;
using ChatBackend.Infrastructure.Http.Json;
using ChatBackend.Infrastructure.Http.Problems;
using FluentValidation;
using Microsoft.AspNetCore.Http.Json;

namespace ChatBackend.Infrastructure.Http;

internal static class HttpFeature
{
    /// <summary>The largest body of an endpoint that does not say otherwise: 256 KiB.</summary>
    public const int DefaultBodyBytes = 256 * 1024;

    public static void AddHttpRules(this WebApplicationBuilder builder)
    {
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Limits.MaxRequestBodySize = DefaultBodyBytes;
            // A client that stops sending in the middle of a body is cut off after the grace period.
            kestrel.Limits.MinRequestBodyDataRate = new(bytesPerSecond: 240, gracePeriod: TimeSpan.FromSeconds(5));
            kestrel.Limits.RequestHeadersTimeout = TimeSpan.FromSeconds(15);
        });

        builder.Services.ConfigureHttpJsonOptions(ConfigureJson);
        builder.Services.Configure<RouteHandlerOptions>(options => options.ThrowOnBadRequest = true);
        ValidatorOptions.Global.LanguageManager.Enabled = false;

        ErrorHandling.AddErrorHandling(builder.Services);
        builder.AddCrossOrigin();
        builder.Services.AddSingleton(TimeProvider.System);
    }

    /// <summary>The order matters: error handling wraps everything else, and errors need CORS headers, or browsers hide them.</summary>
    public static void UseHttpRules(this WebApplication app)
    {
        app.UseTrustedProxies();
        app.UseExceptionHandler();
        app.UseStatusCodePages();
        app.UseCors();
        app.Use((context, next) =>
        {
            context.Response.Headers.XContentTypeOptions = "nosniff";
            return next(context);
        });
        app.UseMiddleware<RequestBodies>();
    }

    /// <summary>A group whose GET routes also answer HEAD (RFC 9110, 9.3.2); Kestrel omits the body.</summary>
    public static IEndpointRouteBuilder MapWithHead(this IEndpointRouteBuilder app)
    {
        var routes = app.MapGroup("");
        ((IEndpointConventionBuilder)routes).Add(endpoint =>
        {
            if (endpoint.Metadata.OfType<HttpMethodMetadata>().LastOrDefault() is { HttpMethods: ["GET"] })
                endpoint.Metadata.Add(new HttpMethodMetadata([HttpMethods.Get, HttpMethods.Head]));
        });
        return routes;
    }

    /// <summary>snake_case both ways; numbers are numbers; unknown fields are ignored.</summary>
    private static void ConfigureJson(JsonOptions options)
    {
        var json = options.SerializerOptions;
        json.PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower;
        json.DictionaryKeyPolicy = null;
        json.NumberHandling = JsonNumberHandling.Strict;
        json.DefaultIgnoreCondition = JsonIgnoreCondition.Never;
        json.Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping;
        json.Converters.Add(new JsonStringEnumConverter(JsonNamingPolicy.SnakeCaseLower, allowIntegerValues: false));
        json.Converters.Add(new UtcTimeConverter());
        json.Converters.Add(new UtcTimeConverter.OfDateTime());
    }
}

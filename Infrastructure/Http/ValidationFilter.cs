using System.Text.Json;
using ChatBackend.Infrastructure.Http.OpenApi;
using ChatBackend.Infrastructure.Http.Problems;
using FluentValidation;
using FluentValidation.Results;
using Microsoft.AspNetCore.Http.HttpResults;

namespace ChatBackend.Infrastructure.Http;

internal static class ValidationFilter
{
    /// <summary>Answers 400 with the field errors when the handler's <typeparamref name="T"/> is invalid. Without such an argument the first request throws.</summary>
    public static RouteHandlerBuilder Validate<T>(this RouteHandlerBuilder route) => route
        .FailsWithInvalid<T>()
        .AddEndpointFilterFactory((handler, next) =>
        {
            var index = Array.FindIndex(handler.MethodInfo.GetParameters(), p => p.ParameterType == typeof(T));
            if (index < 0)
                throw new InvalidOperationException($"{handler.MethodInfo.DeclaringType?.Name} has no {typeof(T).Name} to validate.");

            return async call =>
            {
                var validator = call.HttpContext.RequestServices.GetRequiredService<IValidator<T>>();
                var result = await validator.ValidateAsync(call.GetArgument<T>(index), call.HttpContext.RequestAborted);
                return result.IsValid ? await next(call) : Invalid(result);
            };
        });

    public static RouteHandlerBuilder FailsWithInvalid<T>(this RouteHandlerBuilder route) => route.FailsWith(
        StatusCodes.Status400BadRequest, "invalid_request", $"{SnakeCase(typeof(T).GetProperties()[0].Name)} must not be empty.");

    public static ProblemHttpResult Invalid(ValidationResult result) =>
        Problem.Invalid(result.ToDictionary().ToDictionary(e => SnakeCase(e.Key), e => e.Value));

    /// <summary>Refuses what PostgreSQL cannot store: U+0000 and unpaired surrogates.</summary>
    public static IRuleBuilderOptions<T, string?> StorableText<T>(this IRuleBuilder<T, string?> rule) => rule
        .Must(IsStorable)
        .WithMessage("must not hold U+0000 or half a surrogate pair.");

    /// <summary>Accepts null and a whole number of this range. Numbers are bound as text, so that a problem can name them.</summary>
    public static IRuleBuilderOptions<T, string?> WholeNumber<T>(this IRuleBuilder<T, string?> rule, string name, int least, int most) => rule
        .Must(text => text is null || (int.TryParse(text, out var number) && number >= least && number <= most))
        .WithMessage($"{name} must be a whole number from {least} to {most}.");

    /// <summary>The length in code points, so that an emoji is one character.</summary>
    public static int Length(string? text) => text?.EnumerateRunes().Count() ?? 0;

    public static bool IsStorable(string? text)
    {
        for (var i = 0; i < text?.Length; i++)
        {
            if (text[i] == '\0')
                return false;
            if (!char.IsSurrogate(text[i]))
                continue;
            if (i + 1 >= text.Length || !char.IsSurrogatePair(text[i], text[i + 1]))
                return false;
            i++;
        }

        return true;
    }

    private static string SnakeCase(string path) =>
        string.Join('.', path.Split('.').Select(JsonNamingPolicy.SnakeCaseLower.ConvertName));
}
